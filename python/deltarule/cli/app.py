"""The commands put together, and the one place where errors become messages."""

import traceback
from typing import Annotated

import typer

from deltarule.data.errors import DataError

from .compare import compare
from .console import complain
from .datasets import datasets
from .export import export
from .info import info
from .predict import predict
from .train import train

app = typer.Typer(
    name="deltarule",
    help="Dense neural networks on a CPU: from a table to a trained model and back.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for command in (train, predict, info, export, compare, datasets):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        from deltarule import __version__

        print(f"deltarule {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    del version, debug


def run(arguments: list[str]) -> None:
    """Run a command; errors become one message and exit code 1 (failure) or 2 (wrong use)."""
    debug = "--debug" in arguments
    try:
        app([argument for argument in arguments if argument != "--debug"], prog_name="deltarule")
    except Exception as error:
        if debug:
            traceback.print_exc()
        complain(*_explain(error))
        raise SystemExit(error.exit_code if isinstance(error, DataError) else 1) from None


def _explain(error: Exception) -> tuple[str, str]:
    """Return the message and a hint for an error."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this data", ""
    if isinstance(error, (ValueError, ArithmeticError, ImportError)) and str(error):
        return str(error), ""
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}", ""
    return (
        f"unexpected {type(error).__name__}: {error}",
        "this is a fault of deltarule; --debug shows where it happened",
    )
