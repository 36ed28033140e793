"""Three days of a run as events, with the mishaps of a cloud machine: for what has to stay small and quick.

The times are those of a large library; the numbers grow evenly, which no real run does.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from plexsuper import events as e
from plexsuper.kinds import SectionType
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import (
    Activity,
    Counts,
    Fate,
    Outcome,
    Phase,
    PhaseReport,
    Removal,
    RemovalCounts,
    Section,
    SectionCounts,
    SectionRef,
    SectionReport,
    Stage,
    Statistics,
    Verdict,
    WarmFailure,
)

Told: TypeAlias = tuple[float, e.Event]

BEGAN = datetime(2026, 11, 19, 6, 4, 11, 250000, tzinfo=UTC)

_HOUR = 3600.0
_SECTIONS = (
    (Section(id=1, title="Movies", type=SectionType.MOVIE, locations=("/media/Movies",)), 9_412, 0.9, 2.6),
    (Section(id=2, title="TV Shows", type=SectionType.SHOW, locations=("/media/TV",)), 61_300, 1.6, 7.5),
    (
        Section(id=4, title="Family Photos", type=SectionType.PHOTO, locations=("/media/Photos",)),
        22_840,
        0.4,
        1.2,
    ),
    (Section(id=3, title="Music", type=SectionType.ARTIST, locations=("/media/Music",)), 118_250, 2.2, 5.0),
)
_FATES: tuple[Fate, ...] = ("confirmed", "healed", "moved", "healed")
_SONIC = 50.0 * _HOUR


def days(*, until: float = 73 * _HOUR) -> Iterator[Envelope]:
    """Yield the envelopes of the run that were stamped before *until* (seconds since it began)."""
    clock = BEGAN
    recorder = Recorder(run="20261119T060411Z-c4f1", clock=lambda: clock)
    with recorder.envelopes.subscribe(Envelope) as stamped:
        for at, event in sorted(told(), key=lambda fact: fact[0]):
            if at > until:
                return
            clock = BEGAN + timedelta(seconds=at)
            recorder.record(event)
            yield from stamped.take()


def told() -> Iterator[Told]:
    """Yield every fact with its time, in no order."""
    yield from _beginning()
    reports, at = [], 240.0
    for section, files, scan, analyze in _SECTIONS:
        phases = [(Phase.SCAN, scan * _HOUR), (Phase.ANALYZE, analyze * _HOUR)]
        phases += [(Phase.SONIC, _SONIC)] if section.type is SectionType.ARTIST else []
        story = list(_section(section, files, phases, at))
        yield from story
        at, last = story[-1]
        assert isinstance(last, e.SectionFinished)
        reports.append(last.report)
        at += 30
    yield from _ending(tuple(reports), at)
    yield from _storage(at)
    yield from _background(at)


def _beginning() -> Iterator[Told]:
    sections = tuple(section for section, *_ in _SECTIONS)
    versions = {"plexsuper": "0.1.0", "python": "3.13.1", "rclone": "1.71.0", "docker": "29.0.1"}
    yield (
        0.0,
        e.RunStarted(
            profile="cloud_intensive",
            interval=60.0,
            stall_after=3600.0,
            versions=versions,
            sections=(),
            settings={},
        ),
    )
    at = 0.0
    stages = (
        (Stage.PREFLIGHT, 4.0),
        (Stage.DATABASE, 96.0),
        (Stage.STORAGE, 3.0),
        (Stage.SERVER, 74.0),
        (Stage.TOKEN, 1.0),
        (Stage.QUIET, 3.0),
        (Stage.CATALOGUE, 2.0),
    )
    for stage, seconds in stages:
        yield at, e.StageStarted(stage=stage)
        at += seconds
        yield at, e.StageFinished(stage=stage, outcome=Outcome.DONE, seconds=seconds)
    yield 60.0, e.StatsCollected(when="before", reliable=True, statistics=_statistics(0))
    yield 102.0, e.MountReady(path="/srv/media", detail="12 files of 4 sections read", latency=0.081)
    yield 104.0, e.ContainerStarted(name="plex", id="6d1f", image="plexinc/pms-docker", pid=4703)
    yield 177.0, e.PlexReady(version="1.43.0.10492", machine="5f0c", claimed=True, after=73.0)
    yield at, e.SectionsChosen(sections=sections)
    yield at, e.StageStarted(stage=Stage.SECTIONS)


def _section(section: Section, files: int, phases: list[tuple[Phase, float]], at: float) -> Iterator[Told]:
    ref, reports = SectionRef(id=section.id, title=section.title), []
    yield at, e.SectionStarted(section=ref, phases=tuple(phase for phase, _ in phases))
    for phase, seconds in phases:
        yield at, e.SectionPhaseStarted(section=ref, phase=phase, attempt=1, budget=7200, cap=400_000)
        yield from _progress(ref, phase, files, at, seconds)
        at += seconds
        report = PhaseReport(phase=phase, outcome=Outcome.DONE, seconds=seconds, waited=8.2, added=files // 9)
        reports.append(report)
        yield at, e.SectionPhaseFinished(section=ref, report=report)
        if phase is Phase.SCAN:
            yield from _after_scan(ref, files, at)
            at += 600
    yield (
        at,
        e.SectionFinished(
            section=ref, report=SectionReport(section=ref, outcome=Outcome.DONE, phases=tuple(reports))
        ),
    )


def _progress(ref: SectionRef, phase: Phase, files: int, at: float, seconds: float) -> Iterator[Told]:
    steps = int(seconds // 60)
    for step in range(1, steps + 1):
        share = step / steps
        done = round(files * share)
        speed = files / seconds * (1 + 0.35 * math.sin(step / 40))
        yield (
            at + 60 * step - 1,
            e.SectionPhaseProgressed(
                section=ref,
                phase=phase,
                done=done,
                total=files,
                percent=100 * share,
                rate=speed,
                eta=seconds * (1 - share),
            ),
        )
        busy = Activity(uuid=f"{ref.id}-{step}", kind="library.update.section", title=f"{phase} {ref.title}")
        yield at + 60 * step - 30, e.ActivitiesChanged(running=(busy,))
        yield at + 60 * step - 20, e.LibraryChanged(rows=step, sections=(ref.id,))


def _after_scan(ref: SectionRef, files: int, at: float) -> Iterator[Told]:
    removals = [
        Removal(
            part=n,
            title=f"Title {n}",
            file=f"/media/{ref.title}/Title {n} (19{n % 90 + 10})/Title {n}.mkv",
            fate=fate,
        )
        for n, fate in enumerate(_FATES, start=ref.id * 100)
    ]
    counts = RemovalCounts(confirmed=14, moved=3, healed=221 if ref.id == 1 else 0)
    yield (
        at + 20,
        e.LibraryVerified(
            section=ref, counts=counts, removals=tuple(removals), report="/state/removals.jsonl"
        ),
    )
    for step in range(1, 10):
        yield (
            at + 20 + 60 * step,
            e.WarmProgressed(
                section=ref,
                done=files * step // 10,
                total=files,
                failed=1,
                bytes_read=9_000_000 * step,
                rate=240.0,
                eta=60.0,
            ),
        )
    failed = WarmFailure(path=f"/media/{ref.title}/broken.mkv", reason="Input/output error")
    yield (
        at + 590,
        e.WarmFinished(
            section=ref, read=files - 1, failed=(failed,), left=0, bytes_read=90_000_000, seconds=570.0
        ),
    )


def _ending(reports: tuple[SectionReport, ...], at: float) -> Iterator[Told]:
    yield at, e.StageFinished(stage=Stage.SECTIONS, outcome=Outcome.DONE, seconds=at - 183)
    counts = RemovalCounts(confirmed=56, moved=12, healed=221)
    yield at + 1, e.LibraryVerified(section=None, counts=counts)
    yield at + 2, e.StatsCollected(when="after", reliable=True, statistics=_statistics(9))
    for stage in (Stage.STATISTICS, Stage.RESTORE, Stage.STOP, Stage.EXPORT):
        yield at + 3, e.StageStarted(stage=stage)
        at += 40
        yield at, e.StageFinished(stage=stage, outcome=Outcome.DONE, seconds=37.0)
    yield at + 5, e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=at + 5, sections=reports)


def _storage(end: float) -> Iterator[Told]:
    """Every seven hours the storage dies for some minutes, and is suspected for nothing now and then."""
    for number, at in enumerate(range(5400, int(end) - 3000, 25_000)):
        outage = 40.0 + 173 * (number % 4)
        yield at + 0.0, e.MountSuspected(path="/srv/media", reason="hung", detail="no answer for 5 s")
        yield at + 5.0, e.MountLost(path="/srv/media", reason="dead", detail="rclone ended with exit code -9")
        yield at + 5.1, e.PlexFrozen(processes=11, seconds=0.003, reason="the storage is lost")
        yield (
            at + 9.0,
            e.MountRecovering(
                path="/srv/media",
                generation=number + 2,
                reason="dead",
                attempt=1,
                detail="a new mount is made",
            ),
        )
        yield at + outage, e.MountRestored(path="/srv/media", after=outage)
        yield at + outage + 2, e.PlexThawed(processes=11, after=outage - 3)
        yield (
            at + 9000.0,
            e.MountSlow(path="/srv/media", latency=4.2, usual=0.3, detail="the backend is late"),
        )
        yield at + 11_000.0, e.MountSuspected(path="/srv/media", reason="slow", detail="no answer for 5 s")
        yield at + 11_012.0, e.MountRestored(path="/srv/media", after=12.0)


def _background(end: float) -> Iterator[Told]:
    for step in range(int(end // 30)):
        yield 30.0 * step, e.RunHeartbeat(uptime=30.0 * step, stage="sections")
    for step in range(20, int(end // 10)):
        busy = 3.1 + 1.5 * math.sin(step / 700) + 0.8 * math.sin(step / 31)
        memory = int(2.2e9 + 1.1e9 * math.sin(step / 4000))
        yield 10.0 * step, e.ContainerMeasured(name="plex", cpus=busy, memory=memory, limit=4_000_000_000)


def _statistics(percent: int) -> Statistics:
    more = 1 + percent / 100
    movies = Counts(movies=round(8_640 * more))
    shows = Counts(shows=420, seasons=1_980, episodes=round(56_200 * more))
    photos = Counts(photos=round(20_900 * more), photo_albums=310)
    music = Counts(
        artists=3_120,
        albums=9_870,
        tracks=round(108_500 * more),
        sonic=round(107_900 * more) if percent else 0,
    )
    parts = zip(_SECTIONS, (movies, shows, photos, music), strict=True)
    sections = tuple(
        SectionCounts(
            section=section.id, title=section.title, live=live, trashed=Counts(), media=files, analyzed=files
        )
        for (section, files, *_), live in parts
    )
    total = {
        name: sum(getattr(live, name) for live in (movies, shows, photos, music))
        for name in Counts.__dataclass_fields__
    }
    trashed = Counts(movies=9, episodes=5) if percent else Counts()
    return Statistics(live=Counts(**total), trashed=trashed, sections=sections)
