"""What holds for every command: `run` is the default, and no error leaves as a traceback."""

import os
from typing import Any, Final

import typer
from typer.core import TyperGroup

from plexsuper.errors import ExitCode, PlexsuperError
from plexsuper.faces.plain import escaped_lines
from plexsuper.redact import redact

DEBUG_VARIABLE: Final = "PLEXSUPER_DEBUG"
DEFAULT_COMMAND: Final = "run"

_BEFORE_COMMANDS: Final = frozenset({"--debug"})
_INSTEAD_OF_COMMANDS: Final = frozenset({"--help", "--version", "--install-completion", "--show-completion"})


class Commands(TyperGroup):
    """The group of all commands: without one it means `run`, and errors become a sentence and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` where a command is missing: `plexsuper --quick` is `plexsuper run --quick`."""
        place = next((at for at, word in enumerate(args) if word not in _BEFORE_COMMANDS), len(args))
        rest = args[place:]
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # the shell asks how to go on: with any command
        if not rest or (rest[0].startswith("-") and rest[0] not in _INSTEAD_OF_COMMANDS):
            args = [*args[:place], DEFAULT_COMMAND, *rest]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; say in plain words what went wrong, and leave with the code of the error."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            wants_traceback = ctx.params.get("debug") or os.environ.get(DEBUG_VARIABLE)
            if wants_traceback or _is_typers_own(error):
                raise
            raise typer.Exit(report(error)) from error


def report(error: Exception) -> int:
    """Print *error* on standard error for people, without secrets, and return its exit code."""
    ours = raised_on_purpose(error)
    if ours:
        said = "\n\n".join(dict.fromkeys(redact(str(one)) for one in ours))
        typer.echo(escaped_lines(said), err=True)
        return int(ours[0].exit_code)
    typer.echo(
        f"Internal error: {type(error).__name__}: {escaped_lines(redact(str(error)))}\n\n"
        "This is a defect of plexsuper; nothing that you did was wrong.\n"
        f"`plexsuper --debug ...` (or {DEBUG_VARIABLE}=1) shows where it happened: please report that.",
        err=True,
    )
    return int(ExitCode.INTERNAL)


def raised_on_purpose(error: BaseException) -> list[PlexsuperError]:
    """Return the errors of ours in *error*, which may be the group that a task group makes of them."""
    if isinstance(error, PlexsuperError):
        return [error]
    if isinstance(error, BaseExceptionGroup):
        return [found for inner in error.exceptions for found in raised_on_purpose(inner)]
    return []


def _is_typers_own(error: Exception) -> bool:
    """Whether *error* is how typer ends a command or reports wrong usage; it prints those itself."""
    return any(cls.__module__.partition(".")[0] in {"typer", "click"} for cls in type(error).__mro__)
