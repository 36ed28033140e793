"""The command line: arguments in, settings and one call out, and every error as a sentence and an exit code.

Nothing here loads more than typer until a command runs, so that `--help` is there at once.
"""

from plexsuper.cli.commands import app

__all__ = ["app"]
