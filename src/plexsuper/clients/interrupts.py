"""Signals that end a deed in good order: SIGINT, SIGTERM and SIGHUP become `KeyboardInterrupt`, but not at every moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within the block the signals raise `KeyboardInterrupt`; within `held()` they wait for its end.

    In a thread that is not the main one signals cannot be had; then it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._depth = 0
        self._came = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}
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
