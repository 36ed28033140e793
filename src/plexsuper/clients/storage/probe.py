"""Proves by content that a media storage serves what it should, without ever touching it from this process."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import anyio

from plexsuper.clients.mounts.table import Mount, covering, read_mounts
from plexsuper.clients.storage.probe_child import ProbeChild, Question
from plexsuper.decisions.health import Failure, Proof
from plexsuper.errors import StorageError

__all__ = ["ContentProbe", "Failure", "Proof"]

_GIVE_UP = 60.0
"""Seconds after which a helper that has not answered is killed; until then its answer tells how slow it is."""

_DEAD = {errno.ENOTCONN, errno.ECONNABORTED, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN}
_GONE = {errno.ENOENT, errno.ENOTDIR}
_DENIED = {errno.EACCES, errno.EPERM}


class ContentProbe:
    """Looks at the storage at *path* through a helper process that is kept as long as it answers.

    Args:
        path: The storage's root as this host sees it, absolute.
        samples: Names of files or directories below it that should be there; without them a few files are
            found once and read in turn.
        kind: `mount` asks for a mount point of its own at *path*. With `directory` the mount on which it lay
            when it was first proved must still be there.
    """

    def __init__(
        self,
        path: Path,
        *,
        samples: Sequence[str] = (),
        kind: Literal["directory", "mount"] = "directory",
    ) -> None:
        self.path = path
        self._samples = list(samples)
        self._kind = kind
        self._helper: ProbeChild | None = None
        self._stuck: ProbeChild | None = None
        self._question: Question | None = None
        self._mount: Mount | None = None  # on which it lay when it was proved last
        self._asked_on: Mount | None = None

    def start(self) -> None:
        """Start the helper now, so that the first look need not wait for it; raises `StorageError` if it cannot."""
        self._ready()

    async def look(self, deadline: float) -> Proof | Failure:
        """Say within *deadline* seconds what the storage serves.

        A late look is not thrown away: the next one waits for its answer, so that a storage that is only slow
        becomes known as slow. Raises `StorageError` when no helper can be run.
        """
        for _ in range(2):
            if (helper := self._ready()) is None:
                return self._still_stuck()
            if self._question is None:
                self._asked_on = self._covering()
                self._question = helper.ask("look", path=str(self.path), samples=self._samples)
            question = self._question
            if (answer := await self._answer(question, deadline)) is not None:
                self._question = None
                return self._judge(answer, question.latency)
            if helper.at_work():
                return self._late(helper, question)
        raise StorageError(
            f"{self.path} cannot be probed: the helper process ends at once; look at its memory limit"
        )

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        """Say for each of *paths* whether it is there; a storage that cannot tell is a `Failure`, never a no."""
        for _ in range(2):
            if (helper := self._ready()) is None:
                return self._still_stuck()
            question = helper.ask("exists", paths=[os.fsdecode(path) for path in paths])
            if (answer := await self._answer(question, deadline)) is not None:
                return _failure(answer["errors"]) if answer["errors"] else tuple(answer["there"])
            if helper.at_work():
                return self._late(helper, question)
        raise StorageError(
            f"{self.path} cannot be probed: the helper process ends at once; look at its memory limit"
        )

    async def readable(self, root: str, names: Sequence[str], deadline: float) -> Proof | Failure:
        """Say whether the beginning of at least one of *names* below the directory *root* can be read."""
        for _ in range(2):
            if (helper := self._ready()) is None:
                return self._still_stuck()
            question = helper.ask("look", path=root, samples=list(names))
            if (answer := await self._answer(question, deadline)) is not None:
                if read := answer["read"]:
                    detail = f"{read} of {len(names)} files read"
                    return Proof(entries=answer["entries"], latency=question.latency, detail=detail)
                missing = Failure(reason="wrong_content", detail=f"none of {', '.join(names)} is there")
                return _failure(answer["errors"]) if answer["errors"] else missing
            if helper.at_work():
                return self._late(helper, question)
        raise StorageError(
            f"{root} cannot be probed: the helper process ends at once; look at its memory limit"
        )

    async def aclose(self) -> None:
        """End the helper; one that is stuck is left behind, killed."""
        for helper in (self._helper, self._stuck):
            if helper is not None:
                await helper.aclose()
        self._helper = self._stuck = self._question = None

    def _ready(self) -> ProbeChild | None:
        """Return a helper that can be asked; None while an abandoned one is stuck on the same mount."""
        if self._stuck is not None and (self._stuck.ended() or self._covering() != self._asked_on):
            self._stuck = None
        if self._stuck is not None:
            return None
        if self._helper is not None and not self._helper.usable:
            self._helper.ended()
            self._helper = self._question = None
        if self._helper is None:
            try:
                self._helper = ProbeChild.start()
            except OSError as error:
                raise StorageError(
                    f"the storage cannot be probed, no process can be started: {error}"
                ) from error
        return self._helper

    async def _answer(self, question: Question, deadline: float) -> dict[str, Any] | None:
        with anyio.move_on_after(deadline):
            await question.answered.wait()
        return question.answer

    def _late(self, helper: ProbeChild, question: Question) -> Failure:
        waited = anyio.current_time() - question.asked
        if waited > _GIVE_UP or self._covering() != self._asked_on:
            helper.abandon()
            self._helper, self._stuck, self._question = None, helper, None
        return Failure(reason="hung", detail=f"{self.path} has not answered for {waited:.1f} s")

    def _still_stuck(self) -> Failure:
        return Failure(reason="hung", detail=f"a probe of {self.path} is stuck and cannot be killed")

    def _judge(self, answer: dict[str, Any], latency: float) -> Proof | Failure:
        mount = covering(answer["real"], read_mounts()) if "real" in answer else None
        if (gone := self._unmounted(answer, mount)) is not None:
            return gone
        errors, entries, read = answer["errors"], answer["entries"], answer["read"]
        if errors and (not read or any(number in _DEAD for _, number, _ in errors)):
            return _failure(errors)
        if not entries:
            return Failure(reason="empty", detail=f"{self.path} is there, but nothing is in it")
        if answer["missing"] and not read:
            detail = f"{self.path} has {entries} entries, but none of {', '.join(self._samples)}"
            return Failure(reason="wrong_content", detail=detail)
        self._mount = mount
        kind = "unknown" if mount is None else mount.kind
        seen = f"{kind}, {_number(entries, 'entry', 'entries')}, {_number(read, 'file', 'files')} read"
        return Proof(entries=entries, latency=latency, detail=seen)

    def _unmounted(self, answer: dict[str, Any], mount: Mount | None) -> Failure | None:
        """An unmounted storage leaves a directory behind that looks healthy and is not it."""
        if mount is None:
            return None
        if self._kind == "mount" and mount.point != answer["real"]:
            return Failure(
                reason="missing", detail=f"nothing is mounted at {self.path}: a plain directory is there"
            )
        if self._kind == "directory" and self._mount is not None and mount.point != self._mount.point:
            return Failure(
                reason="missing", detail=f"the mount {self._mount.point}, on which it lay, is gone"
            )
        return None

    def _covering(self) -> Mount | None:
        return covering(str(self.path), read_mounts())


def _failure(errors: Sequence[tuple[str, int, str]]) -> Failure:
    """Classify what the helper met; a refusal together with the signs of a dead mount is one too (lesson L19)."""
    numbers = {number for _, number, _ in errors}
    for _, number, name in sorted(errors, key=lambda error: error[1] not in _DEAD):
        what = f"{name}: {os.strerror(number)}"
        if number in _DEAD:
            denied = "; the refusals come from it, they are no matter of rights" if numbers & _DENIED else ""
            return Failure(reason="dead", detail=f"{what}{denied}")
    (step, number, name), *_ = sorted(errors, key=lambda error: error[1] in _DENIED)
    what = f"{name}: {os.strerror(number)}"
    if step == "root" and number in _GONE:
        return Failure(reason="missing", detail=what)
    if number in _DENIED:
        what += "; a FUSE mount of another user needs allow_other"
    return Failure(reason="unreadable", detail=what)


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
