"""How `plexsuper db` speaks: results on stdout (text or JSON), progress and errors on stderr, exit codes."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

import typer

from plexsuper.database.progress import Progress
from plexsuper.errors import DatabaseError, ExitCode, PlexsuperError, StateError
from plexsuper.faces.plain import escaped, escaped_lines
from plexsuper.interrupts import Interrupts
from plexsuper.precision import told

_REDRAW = 0.2
_HEARTBEAT = 30.0


class PartlyDone(DatabaseError):
    """One of the databases could not be judged or repaired; *reports* are those of the others."""

    def __init__(self, message: str, reports: Sequence[object]) -> None:
        super().__init__(message)
        self.reports = reports


@contextmanager
def outcome(*, as_json: bool) -> Iterator[None]:
    """Turn an expected error of the block, or a signal, into a message and its exit code."""
    interrupts = Interrupts()
    try:
        with interrupts, _written(sys.stdout):
            yield
    except PartlyDone as error:
        also = {"reports": error.reports}
        raise _leave(str(error), int(error.exit_code), as_json=as_json, also=also) from error
    except StateError as error:
        what = f"{error}; {interrupts.done}" if interrupts.done else str(error)
        raise _leave(what, int(error.exit_code), as_json=as_json) from error
    except PlexsuperError as error:
        raise _leave(str(error), int(error.exit_code), as_json=as_json) from error
    except KeyboardInterrupt as error:
        done = (
            f"{interrupts.done}; the rest is as before" if interrupts.done else "the databases are as before"
        )
        raise _leave(f"interrupted; {done}", int(ExitCode.INTERRUPTED), as_json=as_json) from error


@contextmanager
def wrong_usage(arguments: Sequence[str]) -> Iterator[None]:
    """Let what typer says of wrong *arguments* be written as JSON, too, when they ask for it."""
    try:
        yield
    except Exception as error:
        if "--json" in arguments and hasattr(error, "format_message"):  # typer hides the class of its errors
            _write_error(error.format_message(), int(ExitCode.USAGE))
        raise


def emit(value: Any, lines: Callable[[], Iterator[str]], *, as_json: bool) -> None:
    """Write *value* (a dataclass or a list of them) as one JSON document, or else its *lines* for people."""
    if as_json:
        write_json(value)
        return
    for line in lines():
        print_text(line)


def write_json(document: Any) -> None:
    """Write *document* in ASCII: a name that is not UTF-8 keeps its bytes as surrogate escapes."""
    _put(sys.stdout, json.dumps(document, default=_plain))


def print_text(line: str) -> None:
    """Write *line*; what the terminal cannot show, or would obey, is escaped: names in a library are anybody's."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _put(sys.stdout, escaped(line).encode(encoding, "backslashreplace").decode(encoding))


def say(line: str) -> None:
    """Write *line*, or several of them, to stderr, escaped as `print_text` does."""
    with suppress(StateError), _written(sys.stderr):
        _put(sys.stderr, escaped_lines(line).encode("utf-8", "backslashreplace").decode("utf-8"))


class ProgressLine:
    """A `ProgressCallback` for stderr: a line that is drawn anew on a terminal, else one for each step and each 30 s."""

    def __init__(self) -> None:
        self._terminal = bool(sys.stderr) and sys.stderr.isatty()
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
            sys.stderr.write(f"\r\033[K{escaped(text)}")
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


def _leave(message: str, code: int, *, as_json: bool, also: Mapping[str, object] | None = None) -> typer.Exit:
    if as_json:
        _write_error(message, code, also)
    say(f"plexsuper: {message}")
    return typer.Exit(code)


def _write_error(message: str, code: int, also: Mapping[str, object] | None = None) -> None:
    with suppress(StateError), _written(sys.stdout):
        write_json({"error": message, "exit_code": code} | dict(also or {}))


def _put(stream: TextIO | None, line: str) -> None:
    if stream is not None:
        with _speaking(stream):
            stream.write(f"{line}\n")


@contextmanager
def _written(stream: TextIO | None) -> Iterator[None]:
    """At the end of the block, let everything that was written to *stream* be on its way."""
    try:
        yield
    finally:
        if stream is not None:
            with _speaking(stream):
                stream.flush()


@contextmanager
def _speaking(stream: TextIO) -> Iterator[None]:
    """Let a reader that has gone away (`| head`) end what is said, not what is done.

    Raises:
        StateError: *stream* cannot be written, as on a full disk. What comes after is dropped.
    """
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise StateError(f"the result cannot be written to standard output: {error.strerror}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _figure(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return fields | _verdict(value)
    raise TypeError(f"{value!r} has no JSON form")


def _figure(value: Any) -> Any:
    return told(value) if isinstance(value, float) else value


def _verdict(value: Any) -> dict[str, Any]:
    """Return the judgements that a report gives by a property: a reader of JSON wants them, too."""
    return {
        name: getattr(value, name)
        for name in ("healthy", "losses", "empty", "sections_without_hit")
        if hasattr(value, name)
    }
