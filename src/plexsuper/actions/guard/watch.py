"""Watches what a section loses while Plex works on it, and freezes Plex to ask storage when that is too much."""

from collections.abc import Sequence
from typing import Final, Literal, Never

import anyio

from plexsuper.actions.guard.frozen import Frozen
from plexsuper.actions.guard.means import Means
from plexsuper.clients.library.commit_sign import CommitSign
from plexsuper.clients.library.manifest_watch import Watch
from plexsuper.clients.storage.lookup import Lookup
from plexsuper.decisions.verification import Presence, Vanished, trips, unknown
from plexsuper.events import GuardCleared, GuardConfirmed, GuardTripped
from plexsuper.terms import SectionRef

_EVERY: Final = 0.25
_COUNT_EVERY: Final = 2.0
"""At the latest so many seconds after a count there is another one, whatever the files look like."""

_SAMPLE: Final = 64
_NAMED: Final = 5
_PATIENCE: Final = 30.0
_AGAIN: Final = 2.0
_CANARY_EVERY: Final = 5.0
_CANARIES: Final = 3


class SectionWatch:
    """Watches one section of which *parts* entries are written down; `run` it beside the phase.

    *canaries* are some of the section's own files that were in storage before the scan.
    """

    def __init__(
        self, means: Means, lookup: Lookup, section: SectionRef, *, parts: int, canaries: tuple[str, ...]
    ) -> None:
        self._means = means
        self._lookup = lookup
        self._section = section
        self._parts = parts
        self._budget = means.settings.allowed(parts)
        self._forgiven = 0
        self._canaries = canaries
        self._turn = 0
        self._looked_at = anyio.current_time()

    async def run(self) -> Never:
        """Look until cancelled; publishes `GuardTripped`, then `GuardCleared` or `GuardConfirmed`."""
        # A count that stopped earlier could never pass the budget of a large section.
        wanted, database, enough = self._section.id, self._means.database, self._parts + 1
        async with self._means.manifest.watch(wanted, database, enough=enough) as watch:
            self._forgiven = await watch.count()
            counted_at, sign = anyio.current_time(), CommitSign(database)
            while True:
                await anyio.sleep(_EVERY)
                now, touched = anyio.current_time(), sign.changed()
                if touched or now - counted_at >= _COUNT_EVERY:
                    counted_at = now
                    await self._count(watch, touched=touched)
                if now - self._looked_at >= _CANARY_EVERY and not self._means.freezer.frozen:
                    await self._look_at_canaries()
                    self._looked_at = anyio.current_time()

    async def _count(self, watch: Watch, *, touched: bool) -> None:
        gone = await watch.count(touched=touched)
        self._forgiven = min(self._forgiven, gone)  # what is healed may not vanish once more for nothing
        if trips(gone - self._forgiven, self._budget):
            await self._ask_about(watch, gone)

    async def _ask_about(self, watch: Watch, gone: int) -> None:
        """Freeze first, then look up whether what has vanished is really gone from storage."""
        began = anyio.current_time()
        names = [row.file for row in await watch.some(_NAMED)]
        with Frozen(
            self._means.freezer, "removals", f"{gone} entries of {self._section.title} vanished"
        ) as frozen:
            if await self._means.is_deleted(self._section.id):
                self._forgiven, frozen.needless = gone, True
                return
            self._trip("removals", gone - self._forgiven, names)
            rows = await self._means.manifest.vanished(self._section.id, self._means.database, sample=_SAMPLE)
            answers = await self._presences(rows)
            if all(answer.kind == "gone" for answer in answers):
                self._forgiven = gone
                seconds = anyio.current_time() - began
                self._means.publish(GuardCleared(section=self._section, confirmed=gone, seconds=seconds))
                frozen.needless = True
                return
        self._confirm(answers, "vanished entries")

    async def _presences(self, rows: tuple[Vanished, ...]) -> tuple[Presence, ...]:
        """Return what storage says to *rows* that did not merely move; asked again while it cannot tell."""
        files = [row.file for row in rows if row.moved_to is None]
        answers = tuple(unknown(f"no answer within {_PATIENCE:g} s") for _ in files)
        with anyio.move_on_after(_PATIENCE):
            while True:
                found = await self._lookup.find(files)
                answers = tuple(found[file] for file in files)
                if any(answer.kind == "present" for answer in answers):
                    break
                if all(answer.kind == "gone" for answer in answers):
                    break
                await anyio.sleep(_AGAIN)
        return answers

    async def _look_at_canaries(self) -> None:
        """Look up a few of the section's own files; one that is really deleted is no canary any more."""
        turn = [
            self._canaries[(self._turn + n) % len(self._canaries)]
            for n in range(min(_CANARIES, len(self._canaries)))
        ]
        self._turn += len(turn)
        if not turn or not await self._silent(turn):
            return
        reason = f"storage does not say whether it has the files of {self._section.title}"
        with Frozen(self._means.freezer, "removals", reason) as frozen:
            self._trip("canaries", len(turn), turn)
            began = anyio.current_time()
            while silent := await self._silent(self._canaries):
                if anyio.current_time() - began > _PATIENCE:
                    break
                await anyio.sleep(_AGAIN)
            else:
                frozen.needless = True
                seconds = anyio.current_time() - began
                self._means.publish(GuardCleared(section=self._section, confirmed=0, seconds=seconds))
                return
        self._confirm(tuple(silent), "sampled files, which were there before the scan,")

    async def _silent(self, files: Sequence[str]) -> list[Presence]:
        """Return the answers if storage says of none of *files* that it is there, and not of all that they are gone."""
        found = await self._lookup.find(files)
        gone = {file for file, answer in found.items() if answer.kind == "gone"}
        self._canaries = tuple(file for file in self._canaries if file not in gone)
        left = [answer for answer in found.values() if answer.kind != "gone"]
        return [] if any(answer.kind == "present" for answer in left) else left

    def _trip(self, reason: Literal["removals", "canaries"], count: int, names: list[str]) -> None:
        budget = self._budget if reason == "removals" else 0
        self._means.publish(
            GuardTripped(section=self._section, reason=reason, count=count, budget=budget, names=tuple(names))
        )

    def _confirm(self, answers: tuple[Presence, ...], what: str) -> None:
        kinds = [answer.kind for answer in answers]
        told = ", ".join(f"{kinds.count(kind)} {word}" for kind, word in _SAID.items() if kind in kinds)
        self._means.publish(GuardConfirmed(section=self._section, detail=f"of {len(kinds)} {what} {told}"))


_SAID: Final = {
    "present": "are in storage",
    "unknown": "cannot be looked up",
    "gone": "are gone",
}
