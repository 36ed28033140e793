"""How `plexsuper db` speaks: results on stdout (text or JSON), progress and errors on stderr, exit codes."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from plexsuper.database.progress import Progress
from plexsuper.errors import DatabaseError, ExitCode, PlexsuperError

_REDRAW = 0.2
_HEARTBEAT = 30.0
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


@contextmanager
def outcome(*, as_json: bool) -> Iterator[None]:
    """Turn an expected error of the block into a message and its exit code."""
    try:
        yield
    except PlexsuperError as error:
        code = int(error.exit_code)
        if as_json:
            write_json({"error": str(error), "exit_code": code})
        say(f"plexsuper: {error}")
        raise typer.Exit(code) from error
    except KeyboardInterrupt as error:
        say("plexsuper: interrupted; the databases are as before")
        raise typer.Exit(ExitCode.INTERRUPTED) from error


@contextmanager
def told_also(done: Iterable[str]) -> Iterator[None]:
    """Let a `DatabaseError` of the block say what was *done* before."""
    said = "".join(f"; {what}" for what in done)
    try:
        yield
    except DatabaseError as error:
        raise DatabaseError(f"{error}{said}") from error


def emit(value: Any, lines: Callable[[], Iterator[str]], *, as_json: bool) -> None:
    """Write *value* (a dataclass or a list of them) as one JSON document, or else its *lines* for people."""
    if as_json:
        write_json(value)
        return
    for line in lines():
        print_text(line)


def write_json(document: Any) -> None:
    """Write *document* in ASCII: a name that is not UTF-8 keeps its bytes as surrogate escapes."""
    sys.stdout.write(json.dumps(document, default=_plain) + "\n")


def print_text(line: str) -> None:
    """Write *line*; what the terminal cannot show, or would obey, is escaped: names in a library are anybody's."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = line.translate(_CONTROLS)
    sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def say(line: str) -> None:
    """Write *line*, or several of them, to stderr, escaped as `print_text` does."""
    shown = "\n".join(part.translate(_CONTROLS) for part in line.split("\n"))
    sys.stderr.write(shown.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    sys.stderr.flush()


class ProgressLine:
    """A `ProgressCallback` for stderr: a line that is drawn anew on a terminal, else one for each step and each 30 s."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._step = ""
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show *progress* when it is time for it."""
        now = time.monotonic()
        fresh = progress.step != self._step
        if not fresh and now - self._last < (_REDRAW if self._terminal else _HEARTBEAT):
            return
        self._step, self._last = progress.step, now
        text = describe(progress)
        if self._terminal:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
        else:
            say(text)

    def close(self) -> None:
        """End the line on a terminal."""
        if self._terminal and self._step:
            sys.stderr.write("\r\033[K")


def describe(progress: Progress) -> str:
    """Return one line for people."""
    if progress.total is None and not progress.done:
        return progress.step
    share = (
        f"{progress.done * 100 // progress.total} %" if progress.total else f"{progress.done} {progress.unit}"
    )
    return f"{progress.step}: {share}"


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """Give a progress callback for the block."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.close()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)} | _verdict(value)
    raise TypeError(f"{value!r} has no JSON form")


def _verdict(value: Any) -> dict[str, Any]:
    """Return the judgements that a report gives by a property: a reader of JSON wants them, too."""
    return {
        name: getattr(value, name)
        for name in ("healthy", "losses", "empty", "sections_without_hit")
        if hasattr(value, name)
    }
