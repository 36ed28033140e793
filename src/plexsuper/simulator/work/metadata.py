"""The metadata of new items: a few activities at a time, which go on after the scan that found the items has ended."""

from collections import deque
from dataclasses import dataclass

import anyio

from plexsuper.simulator.activities import UPDATE_ITEM
from plexsuper.simulator.core import Core
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.work.analysis import Analyses

CREATED, PROCESSING, DOWNLOADING, FINISHED = 0, 1, 3, 5


@dataclass(frozen=True, slots=True)
class _Due:
    section: Section
    item: int
    at: float
    new: bool


class Metadata:
    """Fetches metadata for every item a scan has found."""

    def __init__(self, core: Core, analyses: Analyses) -> None:
        self._core = core
        self._analyses = analyses
        self._due: deque[_Due] = deque()
        self._held: dict[int, list[int]] = {}
        self._sections: dict[int, Section] = {}
        self._news = anyio.Event()

    def found(self, section: Section, item: int) -> None:
        """Take an item; its metadata starts after the gap, or after the scan if the knobs say so."""
        kind, title = self._core.library.describe(item)
        self._core.logs.scanner(f"Added new metadata item ({title}) with ID {item}")
        self._core.notifications.timeline(
            section.id, item, kind, title, CREATED, metadataState="created", queueSize=len(self._due) + 1
        )
        if self._core.knobs.metadata_after_scan:
            self._sections[section.id] = section
            self._held.setdefault(section.id, []).append(item)
        else:
            self._enqueue(section, item)

    def refresh(self, section: Section, item: int) -> None:
        """Fetch the metadata of an item that is known already."""
        self._enqueue(section, item, new=False)

    def scan_ended(self, section: int) -> None:
        """Release the items that waited for the end of a scan."""
        for item in self._held.pop(section, []):
            self._enqueue(self._sections[section], item)

    async def work(self) -> None:
        """Work on what is due, for ever."""
        async with anyio.create_task_group() as tasks:
            for _ in range(max(1, self._core.knobs.metadata_parallel)):
                tasks.start_soon(self._worker)

    def _enqueue(self, section: Section, item: int, *, new: bool = True) -> None:
        gap = self._core.vary(self._core.knobs.metadata_gap)
        self._due.append(_Due(section, item, self._core.clock.elapsed() + gap, new))
        self._news.set()
        self._news = anyio.Event()

    async def _worker(self) -> None:
        while True:
            if not self._due:
                await self._news.wait()
                continue
            due = self._due.popleft()
            await self._core.clock.sleep(max(0.0, due.at - self._core.clock.elapsed()))
            await self._update(due)
            if due.new:
                self._core.tasks.start_soon(self._analyses.new_item, due.section, due.item)

    async def _update(self, due: _Due) -> None:
        core = self._core
        kind, title = core.library.describe(due.item)
        if due.section.agent.endswith(".none"):  # photos and home videos: there is nobody to ask
            core.notifications.timeline(due.section.id, due.item, kind, title, PROCESSING)
            return
        with (
            core.truth.work("metadata", section=due.section.id, item=due.item),
            core.activities.show(UPDATE_ITEM, "Updating metadata", subtitle=title, section=due.section.id),
        ):
            core.notifications.timeline(
                due.section.id, due.item, kind, title, DOWNLOADING, queueSize=len(self._due)
            )
            await core.clock.sleep(core.vary(core.knobs.metadata_seconds))
            with transaction(core.library.conn):
                core.library.conn.execute(
                    "UPDATE metadata_items SET refreshed_at = ? WHERE id = ?", (core.clock.stamp(), due.item)
                )
                core.library.touch(due.item)
        core.notifications.timeline(due.section.id, due.item, kind, title, FINISHED)
