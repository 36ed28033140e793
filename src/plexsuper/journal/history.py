"""Reads the runs of a state directory: those that ended, that are being written, and that are damaged.

Reading never changes a journal and never waits for its writer. It blocks, milliseconds for a list and up to a second
for a whole run: in an event loop, call it in a worker thread.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from plexsuper import events as e
from plexsuper.clients.host import bytes_of
from plexsuper.clients.processes.lifetime import Lifetime
from plexsuper.decisions.resume import PastRun, fold, why_not
from plexsuper.errors import StateError
from plexsuper.journal.file import NAME, VERSION
from plexsuper.journal.weights import Weight
from plexsuper.stream import parse
from plexsuper.terms import Verdict

RunState = Literal["running", "ended", "unfinished", "unreadable"]
"""`unfinished`: it was killed, for it never said how it ended and its process is gone."""

_CHUNK: Final = 1000
_FORWARD: Final = "SELECT id, line FROM lines WHERE id > ? AND +weight <= ? ORDER BY id LIMIT ?"
_BACKWARD: Final = "SELECT line FROM lines WHERE id > ? AND +weight <= ? ORDER BY id DESC"
_TURNING_POINTS: Final = (
    "SELECT ts, line FROM lines WHERE weight = 0 AND type IN ('run.started', 'run.resumed', 'run.finished', "
    "'stage.finished', 'library.injected', 'snapshot.taken', 'sections.chosen', 'section.started', "
    "'section.finished', 'section.reopened', 'section.files.retried') ORDER BY id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of the past, or the one that runs now; times are aware UTC, `size` is bytes on disk of all its files."""

    id: str
    state: RunState
    started: datetime | None = None
    ended: datetime | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    sections_done: int = 0
    sections_total: int = 0
    size: int = 0
    fingerprint: str = ""
    continues: str | None = None
    detail: str = ""


def runs(state_dir: Path) -> tuple[RunRecord, ...]:
    """Return all runs that have a journal below *state_dir*, the oldest first; raise `StateError` where we may not look."""
    return tuple(_record(path) for path in _journals(state_dir))


def read(state_dir: Path, run_id: str, *, least: Weight = Weight.DETAIL) -> Iterator[str]:
    """Give the lines of a run in their order, as `stream.parse` takes them; *least* is the lightest that is wanted.

    Of a damaged journal everything comes that can be read. A run that goes on is read up to now.

    Raises:
        StateError: there is no such run, or its file is no journal at all.
    """
    with _opened(_path(state_dir, run_id)) as connection:
        last = -1
        while True:
            rows, whole = _chunk(connection, last, least)
            yield from (line for _, line in rows if _whole(line))
            last = rows[-1][0] if rows else last
            if not whole:
                yield from _behind_the_damage(connection, last, least)
                return
            if len(rows) < _CHUNK:
                return


def read_on(state_dir: Path, run_id: str, after: int = -1) -> list[tuple[int, str]]:
    """Return the next lines of a run, a thousand at most, each with its number; *after* is the last one that is known.

    Raises:
        StateError: there is no such run, or its file is no journal at all.
    """
    with _opened(_path(state_dir, run_id)) as connection:
        rows, _ = _chunk(connection, after, Weight.DETAIL)
        return [(number, line) for number, line in rows if _whole(line)]


def last_line(state_dir: Path, run_id: str) -> int:
    """Return the number of the last line of a run, as `read_on` gives it; -1 when none can be read.

    Raises:
        StateError: there is no such run, or its file is no journal at all.
    """
    with _opened(_path(state_dir, run_id)) as connection:
        (last,) = connection.execute("SELECT coalesce(max(id), -1) FROM lines").fetchone()
        return int(last)


def last_run(state_dir: Path, fingerprint: str) -> PastRun | None:
    """Return the last run with this *fingerprint* that runs no more; None when there is none.

    What it took over from the runs that it went on with counts as done by it.
    """
    by_id = {record.id: record for record in runs(state_dir)}
    ended = [r for r in by_id.values() if r.fingerprint == fingerprint and r.state in {"ended", "unfinished"}]
    if not ended:
        return None
    chain = [ended[-1]]
    while (before := by_id.get(chain[0].continues or "")) is not None and before not in chain:
        chain.insert(0, before)
    facts = [fact for record in chain for fact in _turning_points(_path(state_dir, record.id))]
    past = fold(ended[-1].id, facts)
    return None if past is None else replace(past, last_ts=ended[-1].ended or past.last_ts)


def find_unfinished(state_dir: Path, fingerprint: str) -> PastRun | None:
    """Return the last run with this *fingerprint* if it may go on (see `decisions.resume.why_not`)."""
    past = last_run(state_dir, fingerprint)
    return past if past is not None and not why_not(past) else None


def _journals(state_dir: Path) -> list[Path]:
    runs = state_dir / "runs"
    try:
        # Path.glob passes over what it may not read from Python 3.13 on
        return sorted(path for name in os.listdir(runs) if os.path.exists(path := runs / name / NAME))  # noqa: PTH110, PTH208 - as above
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise StateError(
            f"{state_dir} cannot be read (permission denied): run plexsuper as its owner, or as root"
        ) from error


def _path(state_dir: Path, run_id: str) -> Path:
    path = state_dir / "runs" / run_id / NAME
    if path not in _journals(state_dir):  # which also refuses a name that leads elsewhere
        raise StateError(f"there is no run {run_id!r} in {state_dir}; `plexsuper runs` lists them")
    return path


def _record(path: Path) -> RunRecord:
    # What goes while we look, such as the draft of a report, is not counted.
    files = (Path(parent, name) for parent, _, names in os.walk(path.parent) for name in names)
    record = RunRecord(id=path.parent.name, state="unreadable", size=bytes_of(files))
    try:
        with _opened(path) as connection:
            return _filled(record, connection)
    except (StateError, sqlite3.Error) as error:
        return replace(record, detail=str(error))


def _filled(record: RunRecord, connection: sqlite3.Connection) -> RunRecord:
    about = dict(connection.execute("SELECT key, value FROM about"))
    record = replace(record, fingerprint=about.get("fingerprint", ""), continues=about.get("continues"))
    past = fold(record.id, _facts(connection))
    if past is None:
        state: RunState = "running" if _is_written(connection) else "unfinished"
        return replace(record, state=state)
    (last,) = connection.execute("SELECT ts FROM lines ORDER BY id DESC LIMIT 1").fetchone()
    state = "ended" if past.verdict is not None else "running" if _is_written(connection) else "unfinished"
    return replace(
        record,
        state=state,
        started=past.started,
        ended=None if state == "running" else datetime.fromisoformat(last),
        verdict=past.verdict,
        exit_code=past.exit_code,
        sections_done=len(past.done),
        sections_total=past.chosen,
        detail=past.ended_by if state != "running" else "",
    )


def _is_written(connection: sqlite3.Connection) -> bool:
    """Whether the last process that wrote is still there."""
    row = connection.execute("SELECT pid, born, boot FROM writers ORDER BY part DESC LIMIT 1").fetchone()
    return row is not None and Lifetime(*row).goes_on


def _turning_points(path: Path) -> list[tuple[datetime, e.Event]]:
    with _opened(path) as connection:
        return list(_facts(connection))


def _facts(connection: sqlite3.Connection) -> Iterator[tuple[datetime, e.Event]]:
    """Give the facts that tell how far a run came, as far as they can be read."""
    try:
        for ts, line in connection.execute(_TURNING_POINTS):
            try:
                yield datetime.fromisoformat(ts), parse(line)[1]
            except StateError:  # a fact of another version says nothing to this one
                continue
    except sqlite3.DatabaseError:
        return


def _chunk(connection: sqlite3.Connection, last: int, least: Weight) -> tuple[list[tuple[int, str]], bool]:
    """Return lines after *last*, and whether none was unreadable."""
    rows: list[tuple[int, str]] = []
    try:
        rows.extend(connection.execute(_FORWARD, (last, int(least), _CHUNK)))
    except sqlite3.DatabaseError:
        return rows, False
    return rows, True


def _behind_the_damage(connection: sqlite3.Connection, last: int, least: Weight) -> list[str]:
    """Return the lines after *last* that can be reached from the end."""
    found: list[str] = []
    try:
        rows = connection.execute(_BACKWARD, (last, int(least)))
        found.extend(line for (line,) in rows if _whole(line))
    except sqlite3.DatabaseError:
        return found[::-1]
    return found[::-1]


def _whole(line: str) -> bool:
    """Whether no piece of *line* lay in the part of the file that is damaged: SQLite reads zeros where the file ends."""
    return line.endswith("}") and "\0" not in line


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, so that no file is left beside one that nobody writes any more."""
    live = path.with_name(f"{path.name}-wal").exists() and os.access(path.parent, os.W_OK)
    how = "mode=ro" if live else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)) as connection:
            connection.execute(
                "PRAGMA writable_schema = ON"
            )  # else a file that was cut off is refused as a whole
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise StateError(
                    f"{path} was written by a newer plexsuper (version {version} of the journal)"
                )
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not tables:
                raise StateError(f"{path} cannot be read: nothing is in it")
            yield connection
    except sqlite3.Error as error:
        raise StateError(f"{path} cannot be read: {error}") from error
