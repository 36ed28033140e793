"""Talks with one probe helper: many may ask, nobody ever waits for the process itself."""

import asyncio
import json
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from plexsuper.clients.processes.child import Child, clean_environment
from plexsuper.clients.processes.table import stopped

_SCRIPT = Path(__file__).with_name("probe_helper.py")
_GOODBYE = 0.5


@dataclass(slots=True)
class Question:
    """What was asked at `asked` (on the loop's clock); `answer` stays None if the helper ended before it came."""

    asked: float
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: dict[str, Any] | None = None
    latency: float = 0.0


class ProbeChild:
    """A running probe helper. One that is stuck in the storage is killed and abandoned, never waited for."""

    def __init__(self, child: Child, connection: socket.socket) -> None:
        self._child = child
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._questions: dict[int, Question] = {}
        self._number = 0
        self._unread = b""
        self._open = True
        self._loop.add_reader(connection.fileno(), self._read)

    @classmethod
    def start(cls) -> "ProbeChild":
        """Start a helper in about 20 ms; its first answer comes when it is up."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            child = Child.spawn(
                # -I: the script's own directory is not searched for modules; -S: no site-packages
                [sys.executable, "-I", "-S", str(_SCRIPT)],
                env=clean_environment(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(child, ours)

    @property
    def pid(self) -> int:
        """The helper's process."""
        return self._child.pid

    @property
    def usable(self) -> bool:
        """Whether it can be asked."""
        return self._open

    def ended(self) -> bool:
        """Collect it if it has ended, and say whether it has."""
        return self._child.poll()

    def at_work(self) -> bool:
        """Whether a late answer is still to come. One that somebody has stopped is ended: its silence tells nothing of the storage."""
        if self._open and stopped(self.pid):
            self.abandon()
        return self._open

    def ask(self, operation: str, **arguments: Any) -> Question:
        """Ask it, without waiting; it answers in the order in which it was asked."""
        self._number += 1
        question = Question(asked=anyio.current_time())
        self._questions[self._number] = question
        request = {"id": self._number, "op": operation, **arguments}
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError:  # it ended, or it is stuck under hundreds of questions
            self.abandon()
        return question

    def abandon(self) -> None:
        """Kill it and never look at it again but to collect it; its questions stay without an answer."""
        self._child.send(signal.SIGKILL)
        self._hang_up()

    async def aclose(self) -> None:
        """End it; one that cannot die within half a second is left to its fate."""
        self.abandon()
        with anyio.CancelScope(shield=True):
            await self._child.wait_for(_GOODBYE)

    def _read(self) -> None:
        try:
            received = self._connection.recv(1024 * 1024)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._hang_up()
            return
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if question := self._questions.pop(answer["id"], None):
                question.answer = answer
                question.latency = anyio.current_time() - question.asked
                question.answered.set()

    def _hang_up(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._connection.fileno())
        self._connection.close()
        for question in self._questions.values():
            question.answered.set()
        self._questions.clear()
