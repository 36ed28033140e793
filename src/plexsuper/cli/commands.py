"""The commands: each turns its arguments into one call.

Settings, network and database are imported by the command that needs them, so that `--help` is there at once.
"""

import json
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from plexsuper.cli.demo import demo
from plexsuper.cli.group import DEBUG_VARIABLE, Commands
from plexsuper.cli.options import (
    ConfigFile,
    Deep,
    EmptyTrash,
    Events,
    Fresh,
    NoGuard,
    NoSonic,
    ProfileName,
    Quick,
    Refresh,
    SectionNames,
    Web,
    WhenIdle,
    settings_from,
)
from plexsuper.errors import SettingsError
from plexsuper.interrupts import leave_with
from plexsuper.paths import SETTINGS_FILE

_UVLOOP: Final = {"use_uvloop": True}
_PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    cls=Commands,
    help="Takes a Plex library through a complete indexing run, unattended, on storage that can fail.\n\n"
    "Without a command it runs.",
    epilog="Exit codes: 0 done, 1 internal error, 2 usage or settings, 3 preflight, 4 storage, 5 database, 6 Plex not "
    "ready, 7 finished but sections were set aside, 8 library loss not healed, 130 interrupted.",
    rich_markup_mode=None,  # importing rich takes longer than everything else that --help needs
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this option needs it

        from plexsuper.stream import VERSION  # noqa: PLC0415 - pydantic: --help must not load it

        typer.echo(f"plexsuper {version('plexsuper')} (event stream {VERSION})")
        raise typer.Exit


@app.callback()
def _everywhere(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the versions of plexsuper and of its event stream, and exit.",
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show where an error comes from (also: {DEBUG_VARIABLE}=1).")
    ] = False,
) -> None:
    """Take what stands before the command; `Commands` reads it."""


@app.command()
def run(
    *,
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
    empty_trash: EmptyTrash = False,
    when_idle: WhenIdle = False,
    fresh: Fresh = False,
    no_guard: NoGuard = False,
    events: Events = None,
    web: Web = False,
) -> None:
    """Take the library through a whole run (default)."""
    settings = settings_from(
        config,
        profile=profile,
        section=section,
        quick=quick,
        deep=deep,
        refresh=refresh,
        no_sonic=no_sonic,
        dry_run=dry_run,
        empty_trash=empty_trash,
        when_idle=when_idle,
        fresh=fresh,
        guard=not no_guard,
        events=events,
        web=web,
    )
    import anyio  # noqa: PLC0415 - with uvloop: --help must not load it

    from plexsuper.app import run as carry_out  # noqa: PLC0415 - the network stack: --help must not load it
    from plexsuper.faces.face import left_by_a_run, open_face  # noqa: PLC0415 - rich: --help must not load it

    face = open_face(settings.events.format, places=None if dry_run else left_by_a_run(settings.state_dir))
    play = partial(carry_out, settings, face, decided=leave_with)
    raise typer.Exit(anyio.run(play, backend_options=_UVLOOP))


@app.command()
def tidy(
    *,
    config: ConfigFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what is left and what would be done, and change nothing.")
    ] = False,
    events: Events = None,
) -> None:
    """Put everything back that a killed run has left, without a run.

    Plex goes on if it stands still, its settings are given back and read back, what was started is stopped, what was
    mounted is unmounted, copies are removed. Called twice, or with nothing left over, it does nothing. A run that was cut off
    may still go on afterwards (`plexsuper run`).
    """
    settings = settings_from(config, dry_run=dry_run, events=events)
    import anyio  # noqa: PLC0415 - with uvloop: --help must not load it

    from plexsuper.app import tidy as carry_out  # noqa: PLC0415 - the network stack: --help must not load it
    from plexsuper.faces.face import left_by_a_run, open_face  # noqa: PLC0415 - rich: --help must not load it

    face = open_face(settings.events.format, places=None if dry_run else left_by_a_run(settings.state_dir))
    play = partial(carry_out, settings, face, decided=leave_with)
    raise typer.Exit(anyio.run(play, backend_options=_UVLOOP))


@app.command()
def check(
    *,
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
    """Look at everything that a run needs."""
    settings = settings_from(
        config,
        profile=profile,
        section=section,
        quick=quick,
        deep=deep,
        refresh=refresh,
        no_sonic=no_sonic,
    )
    from plexsuper.cli.checkup import check_up  # noqa: PLC0415 - the network stack: --help must not load it

    raise typer.Exit(check_up(settings, as_json=as_json))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(SETTINGS_FILE),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a commented settings file."""
    from plexsuper.config.describe import settings_file  # noqa: PLC0415 - pydantic: --help must not load it

    how = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(file, how, 0o600), "w", encoding="utf-8") as out:  # a token may be put into it
            out.write(settings_file())
    except FileExistsError as error:
        message = f"{file} exists already and was left as it is; `plexsuper init --force` overwrites it."
        raise SettingsError(message) from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.") from error
    typer.echo(f"{file} is written. Set plex.config_dir and media.path in it, then try `plexsuper check`.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the event stream."""
    from plexsuper.stream import schema as of_events  # noqa: PLC0415 - pydantic: --help must not load it

    typer.echo(json.dumps(of_events(), indent=2, ensure_ascii=False))


app.command()(demo)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def simulator(ctx: typer.Context) -> None:
    """Run the embedded Plex alone."""
    from plexsuper.simulator.__main__ import main  # noqa: PLC0415 - the simulator: --help must not load it

    raise typer.Exit(main(ctx.args))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def db(ctx: typer.Context) -> None:
    """Check, repair, copy or change a library database."""
    from plexsuper.cli.database import app as database  # noqa: PLC0415 - its own commands: --help must not load it
    from plexsuper.cli.database_output import wrong_usage  # noqa: PLC0415 - as above

    with wrong_usage(ctx.args):
        raise typer.Exit(database(args=ctx.args, prog_name="plexsuper db", standalone_mode=False) or 0)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def deploy(ctx: typer.Context) -> None:
    """Put the library of an archive into another Plex."""
    from plexsuper.cli.database_output import wrong_usage  # noqa: PLC0415 - database: --help must not load it
    from plexsuper.cli.deploy import app as deployment  # noqa: PLC0415 - network and database: --help must not load them

    with wrong_usage(ctx.args):
        raise typer.Exit(deployment(args=ctx.args, prog_name="plexsuper deploy", standalone_mode=False) or 0)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def runs(ctx: typer.Context) -> None:
    """List the runs of the past, or show one."""
    from plexsuper.cli.runs import app as history  # noqa: PLC0415 - journals and faces: --help must not load them

    raise typer.Exit(history(args=ctx.args, prog_name="plexsuper runs", standalone_mode=False) or 0)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def report(ctx: typer.Context) -> None:
    """Write the report of a run: HTML, Markdown or JSON."""
    from plexsuper.cli.report import app as reports  # noqa: PLC0415 - journals and faces: --help must not load them

    raise typer.Exit(reports(args=ctx.args, prog_name="plexsuper report", standalone_mode=False) or 0)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def watch(ctx: typer.Context) -> None:
    """Show a run that goes on in another terminal."""
    from plexsuper.cli.watch import app as watching  # noqa: PLC0415 - journals and faces: --help must not load them

    raise typer.Exit(watching(args=ctx.args, prog_name="plexsuper watch", standalone_mode=False) or 0)
