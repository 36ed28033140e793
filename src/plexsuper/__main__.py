"""`python -m plexsuper` is the same as `plexsuper`."""

from plexsuper.cli import app


def main() -> None:
    """Run the command line; leaves by `SystemExit` with the exit code."""
    app(prog_name="plexsuper")


if __name__ == "__main__":
    main()
