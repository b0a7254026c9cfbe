"""What can be wrong with data, as errors whose text a user can act on."""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """The data cannot be used; the text says what was found and what would do."""

    exit_code = 1


class OptionError(DataError):
    """An option does not fit the data (an unknown column, a fraction out of range)."""

    exit_code = 2


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean ...?`` for a misspelled name, or the list of what there is."""
    known = [str(item) for item in names]
    lowered = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(lowered[item]) for item in near) + "?"
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return f"there are: {shown}"


def listed(names: Iterable[str], limit: int = 6) -> str:
    """Join quoted names for a message, cut after ``limit``."""
    items = [repr(str(name)) for name in names]
    if len(items) > limit:
        return ", ".join(items[:limit]) + f" and {len(items) - limit} more"
    return ", ".join(items)
