"""The butler: maintenance tasks, started by request, and by themselves unless settings silence them.

Recorded: "scheduled" behaviours run whatever the task switches say; only "never" silences them. Unrealistic: the
maintenance window does not count, unsilenced work comes every `butler_every` seconds, a burst at a time.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import anyio

from plexsuper.simulator.activities import Activity
from plexsuper.simulator.core import Core
from plexsuper.simulator.render import Element
from plexsuper.simulator.work.analysis import (
    ADS,
    CHAPTERS,
    CREDITS,
    DEEP,
    INTROS,
    LOUDNESS,
    MEDIA,
    PREVIEWS,
    VOICES,
    Analyses,
    Kind,
)
from plexsuper.simulator.work.backups import back_up
from plexsuper.simulator.work.metadata import Metadata
from plexsuper.simulator.work.scanning import Scans
from plexsuper.simulator.work.sonic import Sonic


@dataclass(frozen=True, slots=True)
class Task:
    """One task: `switch` is a boolean setting, or one with the values never, scheduled and asap."""

    name: str
    title: str
    days: int
    switch: str = ""


TASKS = (
    Task("AutomaticUpdates", "Automatic updates", 1),
    Task("BackupDatabase", "Backup database", 3, "ButlerTaskBackupDatabase"),
    Task("ButlerTaskGenerateAdMarkers", "Generate ad markers", 1, "GenerateAdMarkerBehavior"),
    Task("ButlerTaskGenerateCreditsMarkers", "Generate credits markers", 1, "GenerateCreditsMarkerBehavior"),
    Task("ButlerTaskGenerateIntroMarkers", "Generate intro markers", 1, "GenerateIntroMarkerBehavior"),
    Task("ButlerTaskGenerateVoiceActivity", "Generate voice activity", 1, "GenerateVADBehavior"),
    Task("CleanOldBundles", "Clean old bundles", 7, "ButlerTaskCleanOldBundles"),
    Task("CleanOldCacheFiles", "Clean old cache files", 7, "ButlerTaskCleanOldCacheFiles"),
    Task("DeepMediaAnalysis", "Deep media analysis", 1, "ButlerTaskDeepMediaAnalysis"),
    Task("GarbageCollectBlobs", "Garbage collect blobs", 7, "ButlerTaskGarbageCollectBlobs"),
    Task("GarbageCollectLibraryMedia", "Garbage collect library media", 7),
    Task("GenerateBlurHashes", "Generate blur hashes", 1),
    Task("GenerateChapterThumbs", "Generate chapter thumbnails", 1, "GenerateChapterThumbBehavior"),
    Task("GenerateMediaIndexFiles", "Generate media index files", 1, "GenerateBIFBehavior"),
    Task("LoudnessAnalysis", "Loudness analysis", 1, "LoudnessAnalysisBehavior"),
    Task("MusicAnalysis", "Music analysis", 1, "MusicAnalysisBehavior"),
    Task("OptimizeDatabase", "Optimize database", 7, "ButlerTaskOptimizeDatabase"),
    Task("RefreshEpgGuides", "Refresh EPG guides", 1, "ButlerTaskRefreshEpgGuides"),
    Task("RefreshLibraries", "Refresh libraries", 1, "ButlerTaskRefreshLibraries"),
    Task("RefreshLocalMedia", "Refresh local media", 3, "ButlerTaskRefreshLocalMedia"),
    Task("RefreshPeriodicMetadata", "Refresh periodic metadata", 1, "ButlerTaskRefreshPeriodicMetadata"),
    Task("UpgradeMediaAnalysis", "Upgrade media analysis", 1, "ButlerTaskUpgradeMediaAnalysis"),
)
_BY_NAME = {task.name: task for task in TASKS}
_ANALYSES: dict[str, Kind] = {
    "DeepMediaAnalysis": DEEP,
    "GenerateChapterThumbs": CHAPTERS,
    "ButlerTaskGenerateCreditsMarkers": CREDITS,
    "LoudnessAnalysis": LOUDNESS,
    "UpgradeMediaAnalysis": MEDIA,
    "GenerateMediaIndexFiles": PREVIEWS,
    "ButlerTaskGenerateIntroMarkers": INTROS,
    "ButlerTaskGenerateVoiceActivity": VOICES,
    "ButlerTaskGenerateAdMarkers": ADS,
}

_SAMPLE = 1000


class Butler:
    """Runs tasks, each at most once at a time."""

    def __init__(self, core: Core, scans: Scans, analyses: Analyses, metadata: Metadata) -> None:
        self._core = core
        self._metadata = metadata
        self._scans = scans
        self._analyses = analyses
        self._sonic = Sonic(core)
        self._running: dict[str, anyio.CancelScope] = {}

    def knows(self, name: str) -> bool:
        """Say whether there is a task of that name."""
        return name in _BY_NAME

    def start(self, name: str, *, limit: int | None = None) -> bool:
        """Start a task over its backlog, or over *limit* items; False when it runs already."""
        if name in self._running:
            return False
        self._running[name] = anyio.CancelScope()
        self._core.tasks.start_soon(self._run, _BY_NAME[name], limit)
        return True

    def start_all(self) -> None:
        """Start every enabled task."""
        for task in TASKS:
            if self._enabled(task):
                self.start(task.name)

    def stop(self, name: str) -> bool:
        """Stop a task; False when it does not run."""
        scope = self._running.get(name)
        if scope is None:
            return False
        scope.cancel()
        return True

    def stop_all(self) -> None:
        """Stop every task."""
        for scope in self._running.values():
            scope.cancel()

    def elements(self) -> list[Element]:
        """Return the rows of `/butler`."""
        return [
            Element(
                "ButlerTask",
                {
                    "name": task.name,
                    "interval": task.days,
                    "scheduleRandomized": False,
                    "enabled": self._enabled(task),
                    "title": task.title,
                    "description": task.title,
                },
            )
            for task in TASKS
        ]

    async def work(self) -> None:
        """Start a burst of unsilenced work now and then, for ever."""
        every = self._core.knobs.butler_every
        while every:
            await self._core.clock.sleep(self._core.vary(every))
            ready = [task for task in TASKS if self._enabled(task) and self._has_backlog(task)]
            if ready:
                self.start(self._core.rng.choice(ready).name, limit=self._core.knobs.butler_items)

    def _enabled(self, task: Task) -> bool:
        preferences = self._core.preferences
        if not task.switch:
            return True
        if task.switch not in preferences:
            return False
        return preferences.text(task.switch) not in {"0", "never"}

    def _has_backlog(self, task: Task) -> bool:
        if task.name in self._running:
            return False
        if task.name in {"RefreshLibraries", "RefreshPeriodicMetadata"}:
            return True
        if task.name == "MusicAnalysis":
            return bool(self._sonic.backlog(1))
        kind = _ANALYSES.get(task.name)
        return bool(kind and self._analyses.backlog(kind, 1))

    async def _run(self, task: Task, limit: int | None) -> None:
        core = self._core
        try:
            if task.name == "MusicAnalysis" and core.knobs.sonic_queue:
                with self._running[task.name] as scope:
                    await core.clock.sleep(core.knobs.sonic_queue)
                if scope.cancelled_caught:
                    return
                self._running[task.name] = anyio.CancelScope()
            core.logs.server(f"Butler: Starting task '{task.name}'")
            with core.truth.work("butler", task=task.name, by_itself=limit is not None) as result:
                with self._running[task.name] as scope, self._shown(task, scope) as activity:
                    await self._work(task, activity, limit)
                if scope.cancelled_caught:
                    result["outcome"] = "cancelled"
        finally:
            del self._running[task.name]

    def _shown(self, task: Task, scope: anyio.CancelScope) -> AbstractContextManager[Activity]:
        if task.name == "MusicAnalysis" and not self._core.knobs.sonic_activity:
            return nullcontext(Activity("", "butler", task.name))
        return self._core.activities.show("butler", task.name, cancel=scope.cancel)

    async def _work(self, task: Task, activity: Activity, limit: int | None) -> None:
        core = self._core
        if task.name == "MusicAnalysis":
            await self._sonic.run(activity, limit=limit)
        elif task.name == "RefreshLibraries":
            for section in core.library.sections():
                self._scans.ask(section.id)
        elif task.name == "RefreshPeriodicMetadata":
            self._refresh_metadata(limit)
        elif task.name == "BackupDatabase":
            await core.clock.sleep(core.vary(core.knobs.butler_seconds))
            back_up(core)
        elif kind := _ANALYSES.get(task.name):
            for section, leaf in self._analyses.backlog(kind, limit)[:limit]:
                await self._analyses.run(kind, section, [leaf])
        else:
            await core.clock.sleep(core.vary(core.knobs.butler_seconds))

    def _refresh_metadata(self, limit: int | None) -> None:
        """Refresh the metadata of some items; as far as known, not of all at once."""
        core = self._core
        for section in core.library.sections():
            leaves = core.library.leaves(section.id, limit=_SAMPLE)
            for leaf in core.rng.sample(leaves, min(len(leaves), limit or core.knobs.butler_items)):
                self._metadata.refresh(section, leaf.item)
