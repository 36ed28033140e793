"""`plexsuper watch`: the live view of a run that goes on elsewhere, from its journal or from a file with its events.

It only reads: leaving it, or losing the connection it runs over, never touches the run.
"""

import signal
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import anyio
import typer

from plexsuper.cli.following import FileRecord, JournalRecord, Record, follow
from plexsuper.cli.options import ConfigFile, Events
from plexsuper.cli.recordings import is_file
from plexsuper.config.place import find_state_dir
from plexsuper.errors import ExitCode, SettingsError, StateError
from plexsuper.faces.face import Format, open_face
from plexsuper.faces.numbers import number

app = typer.Typer(name="watch", add_completion=False, rich_markup_mode=None)

_FORMATS = ("auto", "jsonl", "text")


@app.command()
def watch(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE",
            help="The run, or a part of its id, or a file with its events; else the last run.",
        ),
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a run to begin, if none goes on.")] = False,
    events: Events = None,
    config: ConfigFile = None,
) -> None:
    """Show a run that goes on in another terminal, until it ends; Ctrl-C leaves it alone."""
    events = events or "auto"
    if events not in _FORMATS:
        raise SettingsError(f"--events: {events!r} is not one of {', '.join(_FORMATS)}")
    record: Record
    record = FileRecord(Path(run)) if run and is_file(run) else JournalRecord(find_state_dir(config), run)
    raise typer.Exit(
        anyio.run(_watch, record, cast("Format", events), wait, backend_options={"use_uvloop": True})
    )


async def _watch(record: Record, events: Format, wait: bool) -> int:
    """Show *record* until the run ends, and return its exit code; 0 for one that was left."""
    face = open_face(events, patient=True)
    left, code = False, int(ExitCode.DONE)
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            nonlocal left
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
                await anext(signals)
            left = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        code = await follow(record, face, wait=wait, say=partial(typer.echo, err=True))
        tasks.cancel_scope.cancel()
    if missing := face.without_room():
        raise StateError(
            f"{number(missing, 'line')} cannot be written to standard output: no space left on it"
        )
    if left:
        typer.echo("The run goes on without you; `plexsuper watch` shows it again.", err=True)
    return code
