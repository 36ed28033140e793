"""`plexsuper runs …`: the runs of the past, and what happened in each of them, from their journals."""

import difflib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from plexsuper.cli.options import ConfigFile
from plexsuper.config.place import find_state_dir
from plexsuper.errors import SettingsError
from plexsuper.faces.marks import encodable
from plexsuper.faces.numbers import duration, size
from plexsuper.faces.picture import Picture
from plexsuper.faces.summary import as_text
from plexsuper.faces.text import Log
from plexsuper.faces.vocabulary import VERDICTS
from plexsuper.journal import RunRecord, Weight, read
from plexsuper.journal import runs as all_runs
from plexsuper.replay import Replay

app = typer.Typer(name="runs", add_completion=False, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]

_HEAD = ("RUN", "STARTED", "TOOK", "ENDED", "SECTIONS", "SIZE")
_WORDS = {"running": "runs now", "unfinished": "was killed", "unreadable": "journal cannot be read"}


@app.callback(invoke_without_command=True)
def list_runs(ctx: typer.Context, *, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the runs of the past, the last one at the end; `plexsuper runs show` tells what happened in it."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = config
        return
    found = all_runs(find_state_dir(config))
    if as_json:
        typer.echo(json.dumps([_as_json(record) for record in found], indent=2))
    elif not found:
        typer.echo("There is no run yet.")
    else:
        _print("\n".join(_table([_HEAD, *map(_row, found)])) + "\n")


@app.command()
def show(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="ID", help="The run, or a part of its id; else the last one.")
    ] = None,
    *,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell what happened in a run. With --json it is everything that was kept of it, as its event stream."""
    state_dir = find_state_dir(config or ctx.obj)
    wanted = find_run(state_dir, run)
    if as_json:
        for line in read(state_dir, wanted):
            sys.stdout.write(f"{line}\n")
        return
    for text in _told(state_dir, wanted):
        _print(text)


def _told(state_dir: Path, run: str) -> Iterator[str]:
    log, picture, day = Log(), Picture(), None
    for envelope in Replay(run).envelopes(read(state_dir, run, least=Weight.ORDINARY)):
        picture.see(envelope)
        line = log.line(envelope)
        if line is None:
            continue
        local = envelope.ts.astimezone()
        if local.date() != day:
            day = local.date()
            yield f"{local:%A, %Y-%m-%d}\n"
        yield f"{line}\n"
    yield as_text(picture, width=100)


def find_run(state_dir: Path, wanted: str | None) -> str:
    """Return the id of the run that *wanted* names: whole, or a part that only one has; None: the last one."""
    ids = [record.id for record in all_runs(state_dir)]
    if not ids:
        raise SettingsError(f"there is no run in {state_dir} yet")
    if wanted is None:
        return ids[-1]
    alike = [id_ for id_ in ids if wanted in id_]
    if wanted in ids or len(alike) == 1:
        return wanted if wanted in ids else alike[0]
    near = alike or difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5) or ids[-3:]
    raise SettingsError(
        f"there is no run {wanted!r}" + (" alone" if alike else "") + f". Near it: {', '.join(near)}. "
        "`plexsuper runs` lists all"
    )


def _row(record: RunRecord) -> tuple[str, ...]:
    took = record.ended - record.started if record.ended and record.started else None
    ended = _WORDS.get(record.state) or (VERDICTS[record.verdict] if record.verdict else "")
    sections = f"{record.sections_done} of {record.sections_total}" if record.sections_total else ""
    return (
        record.id,
        f"{record.started.astimezone():%Y-%m-%d %H:%M}" if record.started else "",
        "" if took is None else duration(max(0.0, took.total_seconds())),
        ended,
        sections,
        size(record.size),
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _as_json(record: RunRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "state": record.state,
        "started": _stamp(record.started),
        "ended": _stamp(record.ended),
        "verdict": record.verdict,
        "exit_code": record.exit_code,
        "sections_done": record.sections_done,
        "sections_total": record.sections_total,
        "size": record.size,
        "continues": record.continues,
        "detail": record.detail,
    }


def _stamp(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _print(text: str) -> None:
    sys.stdout.buffer.write(encodable(text, sys.stdout.encoding or "utf-8"))
    sys.stdout.flush()
