"""The command line: ``deltarule train | predict | info | export | compare | datasets``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; leaves through ``SystemExit``."""
    try:
        import rich
        import typer
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich"):
            raise
        print(
            f"deltarule: the command line needs {error.name}: pip install 'deltarule[cli]'", file=sys.stderr
        )
        raise SystemExit(1) from None
    del rich, typer
    from .app import run

    run(list(sys.argv[1:] if arguments is None else arguments))
