"""The queue of section scans: one at a time as far as known; a request only queues, and the answer says nothing."""

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import anyio

from plexsuper.simulator.activities import UPDATE_SECTION, Activity
from plexsuper.simulator.core import Core
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.processes import ScannerDied, scan_argv
from plexsuper.simulator.truth import Entry
from plexsuper.simulator.work.metadata import Metadata
from plexsuper.simulator.work.walking import Harvest, Walk

_SCHEDULE = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A scan that somebody asked for."""

    section: int
    path: str | None = None
    force: bool = False


@dataclass(slots=True)
class Run:
    """A scan that runs."""

    wish: Wish
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    walk: Walk | None = None
    cancelled: bool = False


class Scans:
    """Scans sections in the order of the wishes, as many at the same time as the knobs say."""

    def __init__(self, core: Core, metadata: Metadata) -> None:
        self._core = core
        self._metadata = metadata
        self._waiting: deque[Wish] = deque()
        self._running: list[Run] = []
        self._news = anyio.Event()

    def ask(self, section: int, *, path: str | None = None, force: bool = False) -> None:
        """Queue a scan; the same wish twice in the queue is one."""
        wish = Wish(section, path, force)
        self._core.truth.record("scan.asked", section=section, path=path, force=force)
        if path is not None and not any(
            place.holds(path.rstrip("/") + "/") or place.root.rstrip("/") == path.rstrip("/")
            for place in self._core.library.places(section)
        ):
            self._core.logs.server(
                f"'{path}' was not inside any known section location, skipping.", level="ERROR"
            )
            self._forget(wish, "not inside any location")
        elif wish in self._waiting:
            self._forget(wish, "waits already")
        else:
            self._waiting.append(wish)
            self._news.set()

    def cancel(self, section: int | None) -> None:
        """Stop the scans of a section, or of all; those that wait are forgotten."""
        for wish in tuple(self._waiting):
            if section in {None, wish.section}:
                self._waiting.remove(wish)
                self._forget(wish, "cancelled")
        for run in self._running:
            if section in {None, run.wish.section}:
                self._stop(run)

    def refreshing(self, section: int) -> bool:
        """Say whether the section list shows *section* as refreshing."""
        if any(run.wish.section == section for run in self._running):
            return True
        return self._core.knobs.queued_is_refreshing and any(
            wish.section == section for wish in self._waiting
        )

    def pending(self, section: int) -> int:
        """Return how many scans of a section wait or run."""
        wishes = [*self._waiting, *(run.wish for run in self._running)]
        return sum(wish.section == section for wish in wishes)

    async def work(self) -> None:
        """Scan what is asked for, for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                wish = self._next()
                if wish is None:
                    await self._news.wait()
                    self._news = anyio.Event()
                    continue
                run = Run(wish)
                await self._core.clock.sleep(self._core.vary(self._core.knobs.queue_seconds))
                if wish not in self._waiting:
                    continue  # cancelled while it waited
                self._waiting.remove(wish)
                self._running.append(run)
                tasks.start_soon(self._run, run)

    async def by_schedule(self) -> None:
        """Scan everything now and then, if that is set; for ever."""
        core, last = self._core, self._core.clock.elapsed()
        while True:
            await core.clock.sleep(_SCHEDULE)
            every = float(core.preferences.text("ScheduledLibraryUpdateInterval"))
            if core.clock.elapsed() - last >= every:
                last = core.clock.elapsed()
                if core.preferences.on("ScheduledLibraryUpdatesEnabled"):
                    for section in core.library.sections():
                        self.ask(section.id)

    def _forget(self, wish: Wish, why: str) -> None:
        self._core.truth.record("scan.forgotten", section=wish.section, path=wish.path, why=why)

    def _next(self) -> Wish | None:
        if len(self._running) >= self._core.knobs.parallel_scans:
            return None
        busy = {run.wish.section for run in self._running}
        return next((wish for wish in self._waiting if wish.section not in busy), None)

    def _stop(self, run: Run) -> None:
        run.cancelled = True
        if self._core.knobs.cancel_at_once or run.walk is None:
            run.scope.cancel()
        else:
            run.walk.stopping = True

    async def _run(self, run: Run) -> None:
        section = self._core.section(run.wish.section)
        try:
            if section is not None:
                await self._scan(run, section)
        finally:
            self._running.remove(run)
            self._news.set()
        self._core.notifications.status("Library scan complete")
        self._core.notifications.send(
            "backgroundProcessingQueue", {"queueID": 1, "event": "queueRegenerated"}
        )

    async def _scan(self, run: Run, section: Section) -> None:
        core = self._core
        core.scans += 1
        uuid = core.activities.new_uuid()
        with core.truth.work("scan", section=section.id, path=run.wish.path, force=run.wish.force) as result:
            with run.scope:
                try:
                    async with core.spawner.run(scan_argv(section.id, uuid, run.wish.path)) as tree:
                        walk = Walk(
                            core,
                            section,
                            tree,
                            force=run.wish.force,
                            found=lambda item: self._metadata.found(section, item),
                            visited=lambda harvest: self._progress(activity, harvest),
                        )
                        run.walk = walk
                        with self._shown(section, uuid, run) as activity:
                            await walk.run(run.wish.path)
                            self._finish(run, section, walk.harvest, result)
                except ScannerDied as death:
                    result["outcome"] = f"died ({death.code})"
            if run.cancelled:
                result["outcome"] = "cancelled"
            if run.walk:
                result |= {name: getattr(run.walk.harvest, name) for name in ("added", "removed", "restored")}
        self._metadata.scan_ended(section.id)

    def _finish(self, run: Run, section: Section, harvest: Harvest, result: Entry) -> None:
        core = self._core
        if run.wish.force:
            for leaf in core.library.leaves(section.id):
                self._metadata.refresh(section, leaf.item)
        moved = harvest.changed or core.knobs.quiet_scan_moves_scanned_at
        if moved and not run.cancelled:
            with transaction(core.library.conn):
                core.library.mark_scanned(section.id, changed=harvest.changed)
        if core.preferences.on("autoEmptyTrash") and not run.cancelled:
            result["purged"] = empty_trash(core, section.id)

    def _shown(self, section: Section, uuid: str, run: Run) -> AbstractContextManager[Activity]:
        core = self._core
        if not core.knobs.scan_activity:
            return nullcontext(Activity(uuid, UPDATE_SECTION, ""))
        cancel = (lambda: self._stop(run)) if core.knobs.scan_cancellable else None
        title = f"Scanning {section.title}"
        return core.activities.show(UPDATE_SECTION, title, uuid=uuid, section=section.id, cancel=cancel)

    def _progress(self, activity: Activity, harvest: Harvest) -> None:
        core = self._core
        if core.knobs.scan_activity:
            core.activities.progress(activity, harvest.folders, harvest.expected)
        reached = 100 * harvest.folders / harvest.expected >= core.knobs.crash_at
        if core.scans == core.knobs.crash_in_scan and reached:
            core.crash()


def empty_trash(core: Core, section: int) -> int:
    """Remove what is in a section's trash and tell of every item; return how many there were."""
    gone = core.library.empty_trash(section)
    for item in gone:
        core.truth.record("item.purged", section=section, item=item.item)
        core.notifications.timeline(section, item.item, item.kind, item.title, 9, metadataState="deleted")
    return len(gone)
