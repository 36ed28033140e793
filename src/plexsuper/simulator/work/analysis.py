"""Everything that opens media files: media analysis, deep analysis, chapter thumbnails, credits, loudness."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import anyio

from plexsuper.kinds import SectionType
from plexsuper.simulator.activities import Activity
from plexsuper.simulator.core import Core
from plexsuper.simulator.library.holdings import Leaf
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.media.tree import Tree
from plexsuper.simulator.processes import (
    ScannerDied,
    analyze_argv,
    chapters_argv,
    credits_argv,
    deep_argv,
    detection_argv,
    previews_argv,
)

ANALYSING = 6


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of analysis: its scanner, its log, its activity, and the setting that rules it."""

    name: str
    argv: Callable[[Sequence[int]], tuple[str, ...]]
    log: str
    seconds: str
    activity: str = ""
    setting: str = ""
    sections: tuple[SectionType, ...] = (SectionType.MOVIE, SectionType.SHOW)


MEDIA = Kind("analysis", analyze_argv, "Analysis", "analysis_seconds", sections=tuple(SectionType))
DEEP = Kind("deep", deep_argv, "Deep Analysis", "deep_seconds", setting="ButlerTaskDeepMediaAnalysis")
CHAPTERS = Kind(
    "chapters",
    chapters_argv,
    "Chapter Thumbnails",
    "chapter_seconds",
    "media.generate.chapter.thumbs",
    "GenerateChapterThumbBehavior",
)
CREDITS = Kind(
    "credits",
    credits_argv,
    "Credits",
    "credits_seconds",
    "media.generate.credits",
    "GenerateCreditsMarkerBehavior",
)
LOUDNESS = Kind(
    "loudness",
    deep_argv,
    "Deep Analysis",
    "deep_seconds",
    setting="LoudnessAnalysisBehavior",
    sections=(SectionType.ARTIST,),
)
PREVIEWS = Kind("previews", previews_argv, "", "preview_seconds", "media.generate.bif", "GenerateBIFBehavior")
INTROS = Kind(
    "intros",
    partial(detection_argv, "intro"),
    "Intros",
    "detection_seconds",
    "media.generate.intros",
    "GenerateIntroMarkerBehavior",
    (SectionType.SHOW,),
)
VOICES = Kind(
    "voices",
    partial(detection_argv, "voiceActivity"),
    "Voice Activity",
    "detection_seconds",
    "media.generate.voice.activity",
    "GenerateVADBehavior",
)
ADS = Kind(
    "ads",
    partial(detection_argv, "addetect"),
    "Ads",
    "detection_seconds",
    setting="GenerateAdMarkerBehavior",
)
AFTER_ADDING = (PREVIEWS, CHAPTERS, INTROS, CREDITS, VOICES, ADS, LOUDNESS)
"""What a behaviour of "asap" adds to the media analysis of a new item."""


class Analyses:
    """Runs analyses one scanner process at a time."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._one = anyio.Semaphore(1)
        self._failed: set[int] = set()
        self._opens: dict[str, float] = {}

    async def new_item(self, section: Section, item: int) -> None:
        """Do to a new item what the server does by itself: analyse it, then what is set to happen "asap"."""
        core = self._core
        if not core.knobs.analyze_new:
            return
        await core.clock.sleep(core.vary(core.knobs.analysis_gap))
        await self.run(MEDIA, section, core.library.leaf_of(item))
        for kind in AFTER_ADDING:
            if section.type in kind.sections and core.preferences.text(kind.setting) == "asap":
                await self.run(kind, section, core.library.leaf_of(item))

    async def section(self, section: Section) -> None:
        """Analyse a section as PUT analyze asks for."""
        core = self._core
        await core.clock.sleep(core.knobs.analysis_queue)
        leaves = core.library.leaves(section.id, unanalysed=not core.knobs.analyze_all)
        await self.run(
            MEDIA, section, [x for x in leaves if core.knobs.analyze_failed or x.item not in self._failed]
        )

    async def again(self, section: Section, item: int) -> None:
        """Analyse one item, whether it is analysed already or not."""
        await self._core.clock.sleep(self._core.knobs.analysis_queue)
        await self.run(MEDIA, section, self._core.library.leaf_of(item))

    def backlog(self, kind: Kind, limit: int | None = None) -> list[tuple[Section, Leaf]]:
        """Return the files that a kind of analysis has not been done for, at least *limit* if there are so many."""
        core = self._core
        done = core.done.setdefault(kind.name, set())
        rows = None if limit is None else limit + len(done)
        return [
            (section, leaf)
            for section in core.library.sections()
            if section.type in kind.sections
            for leaf in core.library.leaves(section.id, unanalysed=kind is MEDIA, limit=rows)
            if leaf.item not in done
        ]

    async def run(self, kind: Kind, section: Section, leaves: Sequence[Leaf]) -> None:
        """Analyse *leaves*, a batch of items for each scanner process."""
        core = self._core
        size = max(1, core.knobs.analysis_batch)
        for start in range(0, len(leaves), size):
            async with self._one:
                batch = leaves[start : start + size]
                with core.truth.work(
                    kind.name, section=section.id, items=[leaf.item for leaf in batch]
                ) as result:
                    try:
                        async with core.spawner.run(kind.argv([leaf.item for leaf in batch])) as tree:
                            result["failed"] = await self._batch(kind, section, batch, tree)
                    except ScannerDied as death:
                        result["outcome"] = f"died ({death.code})"

    async def _batch(self, kind: Kind, section: Section, batch: Sequence[Leaf], tree: Tree) -> list[int]:
        failed = []
        for leaf in batch:
            with self._shown(kind, section, leaf) as activity:
                error = await self._item(kind, section, leaf, tree)
                activity.context |= {"accessible": error is None, "exists": error is None}
            if error:
                failed.append(leaf.item)
        return failed

    async def _item(self, kind: Kind, section: Section, leaf: Leaf, tree: Tree) -> OSError | None:
        core = self._core
        number, title = core.library.describe(leaf.item)
        core.logs.scanner(f"Analyzing media parts for item {leaf.item} ({title})", kind=kind.log)
        core.notifications.timeline(section.id, leaf.item, number, title, ANALYSING)
        error = await self._open(leaf, tree)
        await core.clock.sleep(core.vary(getattr(core.knobs, kind.seconds)))
        if kind is MEDIA:
            self._failed = self._failed | {leaf.item} if error else self._failed - {leaf.item}
        if error:
            core.logs.scanner(f"Exception analyzing media file '{leaf.file}'", level="ERROR", kind=kind.log)
            core.done.setdefault(kind.name, set()).add(leaf.item)  # recorded: it is not tried again by itself
        else:
            self._mark(kind, section, leaf)
        return error

    def _shown(self, kind: Kind, section: Section, leaf: Leaf) -> AbstractContextManager[Activity]:
        core = self._core
        name = PurePosixPath(leaf.file).name
        activity = kind.activity or (core.knobs.analysis_activity if kind is MEDIA else "")
        if not activity:
            return nullcontext(Activity("", "", ""))
        context = {"key": f"/library/metadata/{leaf.item}", "analyzed": True, "refreshed": False}
        return core.activities.show(activity, "Analyzing", subtitle=name, section=section.id, context=context)

    async def _open(self, leaf: Leaf, tree: Tree) -> OSError | None:
        core = self._core
        core.logs.scanner(f'[MI] Opening input file: "{leaf.file}"', kind="Analysis")
        if self._fails_to_open(leaf.file):
            return FileNotFoundError(2, "No such file or directory", leaf.file)
        try:
            await tree.read(leaf.file)
        except OSError as error:
            core.logs.console("Unable to open: No such file or directory (2)")
            return error
        return None

    def _fails_to_open(self, file: str) -> bool:
        knobs = self._core.knobs
        if file not in self._opens:
            chosen = knobs.analysis_failures and self._core.rng.random() < knobs.analysis_failures
            self._opens[file] = (knobs.failing_opens or math.inf) if chosen else 0
        self._opens[file] -= 1
        return self._opens[file] >= 0

    def _mark(self, kind: Kind, section: Section, leaf: Leaf) -> None:
        core = self._core
        core.done.setdefault(kind.name, set()).add(leaf.item)
        exists = core.library.conn.execute(
            "SELECT 1 FROM media_items WHERE id = ?", (leaf.version,)
        ).fetchone()
        if exists is None:
            return  # removed while it was analysed
        with transaction(core.library.conn):
            if kind is MEDIA and (section.type is not SectionType.PHOTO or core.knobs.photos_marked):
                core.library.marks.mark_analyzed(leaf.version)
            elif kind is LOUDNESS:
                core.library.marks.mark_loudness(leaf.item)
