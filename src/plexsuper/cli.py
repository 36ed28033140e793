"""The command line: arguments in, settings and one call out, and every error as a sentence and an exit code.

This module loads typer and nothing else of weight, so that `--help` is there at once: settings, network and database
are imported by the commands that need them.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from typer.core import TyperGroup

from plexsuper.errors import ExitCode, PlexsuperError, SettingsError
from plexsuper.redact import redact

DEBUG_VARIABLE: Final = "PLEXSUPER_DEBUG"
DEFAULT_COMMAND: Final = "run"
_GLOBAL_FLAGS: Final = frozenset({"--debug"})
_ANSWERED_HERE: Final = frozenset({"--help", "--version"})


class Commands(TyperGroup):
    """The group of all commands: without one it means `run`, and no error leaves it as a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` where a command is missing: `plexsuper --quick` is `plexsuper run --quick`."""
        place = next((at for at, word in enumerate(args) if word not in _GLOBAL_FLAGS), len(args))
        following = args[place] if place < len(args) else "--"
        if following.startswith("-") and following not in _ANSWERED_HERE:
            args = [*args[:place], DEFAULT_COMMAND, *args[place:]]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; say in plain words what went wrong and leave with the error's code."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (
                isinstance(error, typer.Exit | typer.Abort)
                or hasattr(error, "exit_code")
                and not _ours(error)
            ):
                raise  # typer's own: a usage error, or the end of a command
            if ctx.params.get("debug") or os.environ.get(DEBUG_VARIABLE):
                raise
            raise typer.Exit(_report(error)) from error


app = typer.Typer(
    cls=Commands,
    help="Takes a Plex library through a complete indexing run, unattended, on storage that can fail. "
    "Without a command: run.",
    epilog="Exit codes: 0 done, 1 internal error, 2 usage or settings, 3 preflight, 4 storage, 5 database, 6 Plex not "
    "ready, 7 finished but sections were set aside, 8 library loss not healed, 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,  # importing rich costs more than everything else that --help needs
    pretty_exceptions_enable=False,
)


def _ours(error: BaseException) -> list[PlexsuperError]:
    """Return the errors raised on purpose in *error*, which may be a group of a task group."""
    if isinstance(error, PlexsuperError):
        return [error]
    if isinstance(error, BaseExceptionGroup):
        return [found for inner in error.exceptions for found in _ours(inner)]
    return []


def _report(error: Exception) -> int:
    """Print *error* for people, without secrets, and return its exit code."""
    ours = _ours(error)
    if ours:
        typer.echo("\n\n".join(dict.fromkeys(redact(str(one)) for one in ours)), err=True)
        return int(ours[0].exit_code)
    typer.echo(
        f"Internal error: {type(error).__name__}: {redact(str(error))}\n\n"
        f"This is a defect of plexsuper, and nothing that you did. `plexsuper --debug ...` (or {DEBUG_VARIABLE}=1) shows "
        "where it happened; please report that.",
        err=True,
    )
    return int(ExitCode.INTERNAL)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this one option needs it

        typer.echo(f"plexsuper {version('plexsuper')}")
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[  # noqa: ARG001 - answered by its callback
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[  # noqa: ARG001 - read by Commands.invoke
        bool, typer.Option("--debug", help=f"Show tracebacks of errors (also: {DEBUG_VARIABLE}=1).")
    ] = False,
) -> None:
    pass


# --- options that several commands share: one behaviour, one name (lesson L11) --------------------------------

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings file; else ./plexsuper.toml or the one in ~/.config/plexsuper.",
    ),
]
ProfileName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="local_quick, local_delta, cloud_standard or cloud_intensive."
    ),
]
SectionNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--section", metavar="NAME", help="A section to process, by name or id; repeat it for more. Else all."
    ),
]
Quick: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Try the set-up: scan only (no analysis, no sonic), with the pace of profile local_quick.",
    ),
]
Deep: TypeAlias = Annotated[
    bool, typer.Option("--deep", help="Walk every directory, also those that seem unchanged.")
]
Refresh: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Refresh the metadata of music before its sonic analysis (can take hours)."
    ),
]
NoSonic: TypeAlias = Annotated[
    bool, typer.Option("--no-sonic", help="Leave the sonic analysis of music out.")
]
Events: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--events", metavar="FORMAT", help="auto (a live view on a terminal, else jsonl), jsonl or text."
    ),
]


def _flags(**given: Any) -> Mapping[tuple[str, ...], Any]:
    """Return the settings that were given as flags, by key: `run__deep` is run.deep. Flags that were not are left out."""
    return {tuple(name.split("__")): value for name, value in given.items() if value is not None}


def _if_set(flag: bool, value: bool) -> bool | None:
    return value if flag else None


# --- commands -------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: ConfigFile = None,
    profile: ProfileName = None,
    section: SectionNames = None,
    quick: Quick = False,
    deep: Deep = False,
    refresh: Refresh = False,
    no_sonic: NoSonic = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything up to the first change, print the plan, and end.")
    ] = False,
    events: Events = None,
) -> None:
    """Take the library through a whole run (the default)."""
    from plexsuper.config import load_settings  # noqa: PLC0415 - pydantic; --help must not load it

    settings = load_settings(
        file=config,
        flags=_flags(
            profile=profile,
            run__sections=section or None,
            run__quick=_if_set(quick, True),
            run__deep=_if_set(deep, True),
            run__refresh=_if_set(refresh, True),
            run__sonic=_if_set(no_sonic, False),
            run__dry_run=_if_set(dry_run, True),
            events__format=events,
        ),
    )
    import anyio  # noqa: PLC0415 - with uvloop; --help must not load it

    from plexsuper.app import run as run_app  # noqa: PLC0415 - the network stack; --help must not load it

    raise typer.Exit(anyio.run(run_app, settings, backend_options={"use_uvloop": True}))


@app.command()
def check(
    config: ConfigFile = None,
    profile: ProfileName = None,
    section: SectionNames = None,
    quick: Quick = False,
    deep: Deep = False,
    refresh: Refresh = False,
    no_sonic: NoSonic = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Look at everything that a run needs, and start nothing; ends with 3 when something is in the way."""
    from plexsuper.config import load_settings  # noqa: PLC0415 - pydantic; --help must not load it

    settings = load_settings(
        file=config,
        flags=_flags(
            profile=profile,
            run__sections=section or None,
            run__quick=_if_set(quick, True),
            run__deep=_if_set(deep, True),
            run__refresh=_if_set(refresh, True),
            run__sonic=_if_set(no_sonic, False),
        ),
    )
    import anyio  # noqa: PLC0415 - with uvloop; --help must not load it

    from plexsuper.actions.preflight import examine  # noqa: PLC0415 - the network stack; --help must not load it

    findings = anyio.run(examine, settings, backend_options={"use_uvloop": True})
    code = ExitCode.PREFLIGHT if any(finding.severity == "error" for finding in findings) else ExitCode.DONE
    if as_json:
        _print_json(
            {
                "ready": code is ExitCode.DONE,
                "exit_code": int(code),
                "findings": [
                    {
                        "severity": f.severity,
                        "subject": f.subject,
                        "message": redact(f.message),
                        "remedy": f.remedy,
                    }
                    for f in findings
                ],
                "settings": settings.public(),
            }
        )
    else:
        import shutil  # noqa: PLC0415 - only here

        from plexsuper.faces.checklist import checklist  # noqa: PLC0415 - only here

        width = shutil.get_terminal_size((120, 24)).columns
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        for line in checklist(findings, width=width, colour=colour):
            typer.echo(redact(line))
    raise typer.Exit(int(code))


@app.command()
def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="Where to write it.", show_default=True)
    ] = Path("plexsuper.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a settings file in which every setting is explained."""
    from plexsuper.config.describe import settings_file  # noqa: PLC0415 - pydantic; --help must not load it

    try:
        # Only for the user: a token may be put into it.
        with os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o600), "w"
        ) as out:
            out.write(settings_file())
    except FileExistsError as error:
        raise SettingsError(
            f"{file} exists already and was left as it is; `plexsuper init --force` overwrites it."
        ) from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.") from error
    typer.echo(f"{file} is written. Set plex.config_dir and media.path in it, then try `plexsuper check`.")


@app.command()
def schema() -> None:
    """Print the JSON Schema that every line of the event stream satisfies."""
    from plexsuper.stream import schema as event_schema  # noqa: PLC0415 - pydantic; --help must not load it

    _print_json(event_schema())


@app.command()
def demo(
    library: Annotated[
        str,
        typer.Option("--library", metavar="SIZE", help="small (real files) or reference (a huge database)."),
    ] = "small",
    events: Events = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Work there and keep it; else in a temporary directory."),
    ] = None,
) -> None:
    """Show a whole run against the embedded Plex, on a library that is made for it."""
    if library not in {"small", "reference"}:
        raise SettingsError(f"--library: {library!r} is not one of small, reference.")
    import anyio  # noqa: PLC0415 - with uvloop; --help must not load it

    from plexsuper.demo import run_demo  # noqa: PLC0415 - the simulator; --help must not load it

    raise typer.Exit(anyio.run(run_demo, library, events, data, backend_options={"use_uvloop": True}))


_PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def simulator(ctx: typer.Context) -> None:
    """Run the embedded Plex alone; `plexsuper simulator --help` shows its options."""
    from plexsuper.simulator.__main__ import main  # noqa: PLC0415 - the simulator; --help must not load it

    raise typer.Exit(main(ctx.args))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def db(ctx: typer.Context) -> None:
    """Check, repair, copy and change a library database; `plexsuper db --help` shows its commands."""
    from plexsuper.database_cli import app as database  # noqa: PLC0415 - the database package; --help must not load it

    raise typer.Exit(database(args=ctx.args, prog_name="plexsuper db", standalone_mode=False) or 0)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
