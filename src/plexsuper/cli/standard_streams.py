"""Makes the standard streams of a command safe: one that is closed, a reader that has gone, and a disk without room.

A file that is opened while descriptor 1 is free becomes standard output: a run would write its events into a database.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from plexsuper.errors import StateError


class _Outlet(io.FileIO):
    """Standard output, which a reader may leave, and which says in plain words what is wrong with it."""

    def write(self, data: object, /) -> int:
        """Write *data*; when nobody reads any more, it and all that follows is dropped (`plexsuper runs | head`)."""
        view = memoryview(data)  # type: ignore[arg-type]  # whatever has bytes, as with `FileIO`
        try:
            return super().write(view) or 0
        except BrokenPipeError:
            _drop(self.fileno())
            return view.nbytes
        except OSError as error:
            _drop(self.fileno())  # else the same error comes again when Python ends
            raise StateError(f"the result cannot be written to standard output: {error.strerror}") from error


def open_what_is_closed() -> None:
    """Give each of the three standard descriptors that is closed to nobody (`plexsuper … >&-`)."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
            os.set_inheritable(fd, True)  # children are in the same danger
    if sys.stdout is None:
        sys.stdout = _text(io.FileIO(1, "w", closefd=False))
    if sys.stderr is None:
        sys.stderr = _text(io.FileIO(2, "w", closefd=False))


@contextmanager
def plain_spoken_output() -> Iterator[None]:
    """In the block, say what is wrong with standard output as a `StateError`; all is written when it ends.

    Raises:
        StateError: standard output cannot be written, as on a full disk. What comes after is dropped.
    """
    before = sys.stdout
    before.flush()
    outlet = _text(_Outlet(before.fileno(), "w", closefd=False), like=before)
    sys.stdout = outlet
    try:
        yield
    finally:
        sys.stdout = before
        outlet.flush()


def _text(raw: io.FileIO, like: TextIO | None = None) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors=getattr(like, "errors", None) or "strict",
        line_buffering=raw.isatty(),
    )


def _drop(fd: int) -> None:
    """Let *fd* lead nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):
        os.dup2(nowhere, fd)
    os.close(nowhere)
