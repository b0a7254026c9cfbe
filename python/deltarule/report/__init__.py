"""The report of a training run as one self-contained HTML file, and the figures in it."""

from .figures import classification_figures, confusion, regression_figures, show, softmax
from .page import page
from .story import Story

__all__ = ["Story", "classification_figures", "confusion", "page", "regression_figures", "show", "softmax"]
