"""`python -m plexsuper` is the same as `plexsuper`."""

from plexsuper.cli import app
from plexsuper.clients.processes.interrupts import leave_with


def main() -> None:
    """Run the command line; leaves by `SystemExit` with the exit code, which no later signal changes."""
    try:
        app(prog_name="plexsuper")
    except SystemExit as leaving:
        if isinstance(leaving.code, int):
            leave_with(leaving.code)
        raise


if __name__ == "__main__":
    main()
