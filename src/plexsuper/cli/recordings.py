"""Finds what a run left behind: its journal in the state directory, or a file with its event stream."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer

from plexsuper.cli.runs import find_run
from plexsuper.config.place import find_state_dir
from plexsuper.errors import SettingsError, StateError
from plexsuper.faces.numbers import number
from plexsuper.journal import read
from plexsuper.replay import Replay, foreign_version, in_order, last_run
from plexsuper.stream import VERSION, Envelope

_GZIP: Final = b"\x1f\x8b"
_BEGINS: Final = b'{"v":'


def recorded(wanted: str | None, config: Path | None) -> Iterator[Envelope]:
    """Yield what is recorded of the run *wanted*: an id or a part of one, a file of events, `-`, or None for the last run.

    A file may hold several runs; the one that began last is taken. What is missing in it is said on standard error. Raise
    `StateError` when there is no event.
    """
    lines = _file(wanted)
    if lines is None:
        state_dir = find_state_dir(config)
        found = find_run(state_dir, wanted)
        return Replay(found).envelopes(read(state_dir, found))
    run = last_run(lines)
    if run is None:
        raise StateError(f"{wanted}: {why_none(lines)}; `plexsuper --events jsonl` writes such a stream")
    return _told(Replay(run), lines, wanted or "")


def is_file(wanted: str | None) -> bool:
    """Whether *wanted* names a file and no run."""
    return wanted is not None and (
        wanted == "-" or "/" in wanted or Path(wanted).suffix in {".jsonl", ".log", ".json", ".gz", ".txt"}
    )


def event_in(line: bytes) -> bytes:
    """Return *line* without what a collector wrote before its event, such as a time and the name of a machine."""
    return line[max(0, line.find(_BEGINS)) :]


def why_none(lines: list[bytes]) -> str:
    """Say why *lines* hold no event that can be read."""
    if lines and lines[0].startswith(_GZIP):
        return "it is packed and cannot be followed; `plexsuper report` reads it"
    version = foreign_version(lines)
    if version is None:
        return "there is no event of plexsuper in it"
    return f"its events are of version {version} of the stream, and this plexsuper reads version {VERSION}"


def _told(replay: Replay, lines: list[bytes], name: str) -> Iterator[Envelope]:
    yield from replay.envelopes(lines)
    if replay.missing:
        typer.echo(
            f"{name}: {number(replay.missing, 'event')} of this run not in it, or of a later plexsuper; "
            "what follows is made from the others",
            err=True,
        )


def _file(wanted: str | None) -> list[bytes] | None:
    if wanted is None or not is_file(wanted):
        return None
    try:
        text = sys.stdin.buffer.read() if wanted == "-" else Path(wanted).read_bytes()
        text = gzip.decompress(text) if text.startswith(_GZIP) else text
    except (EOFError, zlib.error) as error:
        raise SettingsError(f"{wanted} cannot be unpacked: {error}") from error
    except OSError as error:
        raise SettingsError(f"{wanted} cannot be read: {error.strerror or error}") from error
    return in_order([event_in(line) for line in text.split(b"\n") if line.strip()])
