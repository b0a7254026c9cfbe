"""What is wrong with a network: gradient check, dead and saturated units, flow, learning rate.

Everything works on copies: the network that is looked at is the same afterwards, bit for bit.
"""

from ._activity import UnitReport, dead_units, saturation
from ._curvature import HessianSpectrum, hessian_spectrum, hessian_vector_product
from ._diagnose import Diagnosis, Finding, diagnose
from ._flow import GradientFlow, gradient_flow
from ._gradient_check import GradientCheck, gradient_check
from ._rates import LearningRateTest, lr_range_test

__all__ = [
    "Diagnosis",
    "Finding",
    "GradientCheck",
    "GradientFlow",
    "HessianSpectrum",
    "LearningRateTest",
    "UnitReport",
    "dead_units",
    "diagnose",
    "gradient_check",
    "gradient_flow",
    "hessian_spectrum",
    "hessian_vector_product",
    "lr_range_test",
    "saturation",
]
