"""Finds what a run left behind: its journal in the state directory, or a file with its event stream."""

import sys
from collections.abc import Iterator
from pathlib import Path

from plexsuper.cli.runs import find_run
from plexsuper.config.place import find_state_dir
from plexsuper.errors import SettingsError, StateError
from plexsuper.journal import read
from plexsuper.replay import Replay, last_run
from plexsuper.stream import Envelope


def recorded(wanted: str | None, config: Path | None) -> Iterator[Envelope]:
    """Yield what is recorded of the run *wanted*: an id or a part of one, a file of events, `-`, or None for the last run.

    A file may hold several runs; the one that began last is taken. Raise `StateError` when there is no event.
    """
    lines = _file(wanted)
    if lines is None:
        state_dir = find_state_dir(config)
        found = find_run(state_dir, wanted)
        return Replay(found).envelopes(read(state_dir, found))
    run = last_run(lines)
    if run is None:
        raise StateError(
            f"{wanted}: there is no event of plexsuper in it; `plexsuper --events jsonl` writes such a stream"
        )
    return Replay(run).envelopes(lines)


def is_file(wanted: str | None) -> bool:
    """Whether *wanted* names a file and no run."""
    return wanted is not None and (
        wanted == "-" or "/" in wanted or Path(wanted).suffix in {".jsonl", ".log", ".json"}
    )


def _file(wanted: str | None) -> list[bytes] | None:
    if wanted is None or not is_file(wanted):
        return None
    try:
        text = sys.stdin.buffer.read() if wanted == "-" else Path(wanted).read_bytes()
    except OSError as error:
        raise SettingsError(f"{wanted} cannot be read: {error.strerror}") from error
    return [line for line in text.split(b"\n") if line.strip()]
