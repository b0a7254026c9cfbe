"""Dense neural networks on a CPU: exact, fast, small.

>>> import deltarule as dr
>>> net = dr.Sequential([dr.Dense(32, "relu"), dr.Dense(1)])
>>> net.compile(dr.Adam(learning_rate=1e-3), loss="mse")

`Sequential` is the network; layers, optimizers, losses, schedules, initializers and metrics are objects or
plain names. `kernels` holds the C++ functions themselves, on NumPy arrays.
"""

from typing import TYPE_CHECKING, Any

from . import (
    activations,
    callbacks,
    custom,
    initializers,
    kernels,
    layers,
    losses,
    metrics,
    optimizers,
    schedules,
)
from ._native import core as _core
from ._threads import get_num_threads, set_num_threads
from .averaging import EMA, SWA
from .bfloat16 import Bfloat16Network
from .callbacks import *  # noqa: F403
from .history import History
from .initializers import *  # noqa: F403
from .layers import *  # noqa: F403
from .losses import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .progress import EpochPrinter, ProgressBar
from .schedules import *  # noqa: F403
from .sequential import Sequential, load

if TYPE_CHECKING:
    from . import diagnostics as diagnostics
    from . import historical as historical
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import MLPRegressor as MLPRegressor
    from .many import FitResult as FitResult
    from .many import FitResults as FitResults
    from .many import fit_many as fit_many
    from .many import grid as grid
    from .many import k_folds as k_folds

FormatError = _core.FormatError
FormatError.__module__, FormatError.__doc__ = __name__, "A model file is damaged or not one of deltarule's."
NonFiniteError = _core.NonFiniteError
NonFiniteError.__module__, NonFiniteError.__doc__ = __name__, "The loss or a weight became NaN or infinite."
__version__: str = _core.config()["version"]

__all__ = [
    "EMA",
    "SWA",
    "Bfloat16Network",
    "EpochPrinter",
    "FormatError",
    "History",
    "NonFiniteError",
    "ProgressBar",
    "Sequential",
    "__version__",
    "activations",
    "custom",
    "get_num_threads",
    "initializers",
    "kernels",
    "layers",
    "load",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "set_num_threads",
]
__all__ += callbacks.__all__
__all__ += initializers.__all__
__all__ += layers.__all__
__all__ += losses.__all__
__all__ += optimizers.__all__
__all__ += schedules.__all__


_LATER = {
    "diagnostics": "diagnostics",
    **dict.fromkeys(("many", "fit_many", "grid", "k_folds", "FitResult", "FitResults"), "many"),
}
_NEED_SKLEARN = {"MLPClassifier": "estimators", "MLPRegressor": "estimators", "historical": "historical"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LATER:  # imported when asked for
        module = import_module(f"{__name__}.{_LATER[name]}")
        return module if name == _LATER[name] else getattr(module, name)
    if name in _NEED_SKLEARN:  # likewise
        try:
            module = import_module(f"{__name__}.{_NEED_SKLEARN[name]}")
        except ImportError as error:
            raise ImportError(f'{name} needs scikit-learn: pip install "deltarule[sklearn]"') from error
        return module if name == _NEED_SKLEARN[name] else getattr(module, name)
    raise AttributeError(f"module 'deltarule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_NEED_SKLEARN, *_LATER, "estimators"]
