"""The compiled core that ``_isa`` chose for this CPU, under one name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import _core as core
else:
    from ._isa import load

    core = load()

__all__ = ["core"]
