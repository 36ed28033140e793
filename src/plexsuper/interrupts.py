"""Signals that end a deed in good order: SIGINT, SIGTERM and SIGHUP become `KeyboardInterrupt`, but not at every moment."""

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class _Moment:
    """How it stands with the deed of this process: it is one for all modules, because signals come to the process."""

    blocks: int = 0
    held: int = 0
    came: bool = False
    done: list[str] = field(default_factory=list)


_now = _Moment()


class Interrupts:
    """Within the block the signals raise `KeyboardInterrupt`; within `held()` they wait for its end.

    A signal that is ignored stays so (`nohup`, a job in the background). In a thread that is not the main one
    signals cannot be had; then it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if not _now.blocks:
            _now.came = False
            _now.done.clear()
        _now.blocks += 1
        if threading.current_thread() is threading.main_thread():
            heard = (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
            self._before = {number: signal.signal(number, _take) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        _now.blocks -= 1

    @property
    def done(self) -> str:
        """What `now_done` was told since the outermost block began, in words; nothing if it was told nothing."""
        return "; ".join(_now.done)


@contextmanager
def held() -> Iterator[None]:
    """Let the block come to its end; then raise what came meanwhile, unless the block itself raised."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _now.held += 1
    try:
        yield
    finally:
        _now.held -= 1
    if _now.came and not _now.held:
        _now.came = False
        raise KeyboardInterrupt


def now_done(what: str) -> None:
    """From now on, whoever is interrupted is told *what* was done. Call it in the `held()` block that does it."""
    _now.done.append(what)


def _take(_number: int, _frame: FrameType | None) -> None:
    if _now.held:
        _now.came = True
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
