"""Signals that end a deed in good order: SIGINT, SIGTERM and SIGHUP become `KeyboardInterrupt`, but not at every moment."""

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within the block the signals raise `KeyboardInterrupt`; within `held()` they wait for its end.

    A signal that is ignored stays so (`nohup`, a job in the background). In a thread that is not the main one
    signals cannot be had; then it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._depth = 0
        self._came = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
            self._before = {number: signal.signal(number, self._take) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block come to its end; then raise what came meanwhile, unless the block itself raised."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._came:
            self._came = False
            raise KeyboardInterrupt

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self._depth:
            self._came = True
            return
        raise KeyboardInterrupt


def leave_with(code: int) -> None:
    """From now on a signal can only hasten the end of this process, whose exit *code* is decided.

    Python gives signals back to the kernel at its very end, which would make another code of one that comes then.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(code)

    for number in _SIGNALS:
        signal.signal(number, leave)
    atexit.register(_ignore)


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
