"""`python -m plexsuper` is the same as `plexsuper`."""

from plexsuper.cli import app
from plexsuper.cli.group import report
from plexsuper.cli.standard_streams import open_what_is_closed, plain_spoken_output
from plexsuper.errors import StateError
from plexsuper.interrupts import leave_with


def main() -> None:
    """Run the command line; leaves by `SystemExit` with the exit code, which no later signal changes."""
    open_what_is_closed()
    try:
        _speak()
    except SystemExit as leaving:
        if isinstance(leaving.code, int):
            leave_with(leaving.code)
        raise


def _speak() -> None:
    try:
        with plain_spoken_output():
            app(prog_name="plexsuper")
    except StateError as error:  # the last words of a command, or its help
        raise SystemExit(report(error)) from error


if __name__ == "__main__":
    main()
