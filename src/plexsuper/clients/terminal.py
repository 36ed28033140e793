"""Asks the person at the terminal for one line, without a thread: a question can be cancelled at any moment."""

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio

_ENOUGH = 4096
_STDIN, _STDOUT = 0, 1


class Terminal:
    """The terminal on standard input and output; both must be one (`is_there`)."""

    def __init__(self, reads: int = _STDIN, writes: int = _STDOUT) -> None:
        self._reads = reads
        self._writes = writes

    @property
    def is_there(self) -> bool:
        """Whether somebody can be asked."""
        if not (os.isatty(self._reads) and os.isatty(self._writes)):
            return False
        with suppress(OSError), _own(self._reads), _own(self._writes):
            return True
        return False  # it belongs to another user, as after `su`

    def forget_typed(self) -> None:
        """Throw away what was typed before there was a question."""
        termios.tcflush(self._reads, termios.TCIFLUSH)

    async def say(self, text: str) -> None:
        """Write *text*."""
        rest = memoryview(text.encode())
        with _own(self._writes) as descriptor:
            while rest:
                await anyio.wait_writable(descriptor)
                with suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest) :]

    async def ask(self, question: str) -> str | None:
        """Write *question* and return the line that is typed, without spaces around it; None at the end of input."""
        await self.say(question)
        typed = b""
        with _own(self._reads) as descriptor:
            while not typed.endswith(b"\n"):
                await anyio.wait_readable(descriptor)
                try:
                    part = os.read(descriptor, _ENOUGH)
                except BlockingIOError:  # somebody else was faster
                    continue
                except OSError:  # the terminal was closed
                    part = b""
                if not part:
                    return None
                typed += part
        return typed.decode(errors="replace").strip()


@contextmanager
def _own(descriptor: int) -> Iterator[int]:
    """Open the same terminal once more: one that does not block is not to be so for everybody who shares it."""
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield own
    finally:
        os.close(own)
