"""One small run told with every type of event, for the documentation, the tests and whoever writes a reader.

It is a story that could happen: a film section is scanned while its storage fails for a moment, then a music
section stalls in its sonic analysis and is set aside.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from plexsuper import events as e
from plexsuper.kinds import SectionType
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import (
    Activity,
    Counts,
    Outcome,
    Phase,
    PhaseReport,
    PrefChange,
    Removal,
    RemovalCounts,
    Scanner,
    ScannerKind,
    Section,
    SectionCounts,
    SectionRef,
    SectionReport,
    Stage,
    Statistics,
    Verdict,
    WarmFailure,
)

MOVIES = SectionRef(id=1, title="Movies")
MUSIC = SectionRef(id=2, title="Music")

_MOVIES = Section(
    id=1,
    title="Movies",
    type=SectionType.MOVIE,
    locations=("/media/Movies",),
    agent="tv.plex.agents.movie",
    scanner="Plex Movie",
    language="en-US",
)
_MUSIC = Section(id=2, title="Music", type=SectionType.ARTIST, locations=("/media/Music",))

_SCAN = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=63.0, waited=2.1)
_ANALYZE = PhaseReport(phase=Phase.ANALYZE, outcome=Outcome.DONE, seconds=421.5, waited=2.4)
_SONIC = PhaseReport(
    phase=Phase.SONIC,
    outcome=Outcome.STALLED,
    seconds=3912.0,
    attempts=2,
    note="no sign of progress for 10 min",
)
MOVIES_REPORT = SectionReport(section=MOVIES, outcome=Outcome.DONE, phases=(_SCAN, _ANALYZE))
MUSIC_REPORT = SectionReport(
    section=MUSIC, outcome=Outcome.SET_ASIDE, phases=(_SONIC,), reason="sonic analysis stalled twice"
)


def _statistics(movies: int, trashed: int) -> Statistics:
    music = Counts(artists=40, albums=112, tracks=1305, sonic=800)
    return Statistics(
        live=Counts(artists=40, albums=112, tracks=1305, sonic=800, movies=movies),
        trashed=Counts(movies=trashed),
        sections=(
            SectionCounts(
                section=1,
                title="Movies",
                live=Counts(movies=movies),
                trashed=Counts(movies=trashed),
                media=movies,
                analyzed=movies,
            ),
            SectionCounts(section=2, title="Music", live=music, trashed=Counts(), media=1305, analyzed=1305),
        ),
    )


RUN: tuple[tuple[float, e.Event], ...] = (
    (
        0,
        e.RunStarted(
            profile="local_delta",
            interval=60.0,
            stall_after=600.0,
            versions={"plexsuper": "0.1.0", "python": "3.13.1"},
            sections=("Movies", "Music"),
            settings={"profile": "local_delta", "media": {"path": "/media"}},
        ),
    ),
    (0, e.StageStarted(stage=Stage.PREFLIGHT)),
    (
        0.1,
        e.PreflightFinding(
            severity="warning",
            subject="disk",
            message="4.1 GB are free where the database is; a snapshot needs 6.0 GB",
            remedy="free 2 GB below /config",
        ),
    ),
    (0.2, e.StageFinished(stage=Stage.PREFLIGHT, outcome=Outcome.DONE, seconds=0.2)),
    (0.2, e.StageStarted(stage=Stage.DATABASE)),
    (0.3, e.DatabaseChecked(path="/config/library.db", fresh=False, sections=(_MOVIES, _MUSIC))),
    (0.4, e.StatsCollected(when="before", reliable=True, statistics=_statistics(2100, 0))),
    (0.4, e.StageFinished(stage=Stage.DATABASE, outcome=Outcome.DONE, seconds=0.2)),
    (0.4, e.StageStarted(stage=Stage.STORAGE)),
    (0.5, e.MountReady(path="/media", detail="3 files of 2 sections read", latency=0.012)),
    (0.5, e.StageFinished(stage=Stage.STORAGE, outcome=Outcome.DONE, seconds=0.1)),
    (0.5, e.StageStarted(stage=Stage.SERVER)),
    (0.6, e.PlexStarted(pid=4711)),
    (1.6, e.PlexWaiting(attempt=1, state="refused", status=None, excerpt="connection refused")),
    (
        3.6,
        e.PlexWaiting(
            attempt=2,
            state="maintenance",
            status=503,
            excerpt="Plex Media Server is currently running startup maintenance tasks.",
            claimed=True,
            log=("Sqlite3: Applying migration 202607010000",),
        ),
    ),
    (7.7, e.PlexReady(version="1.43.0.10492", machine="5f0c…e1", claimed=True, after=7.1)),
    (7.7, e.StageFinished(stage=Stage.SERVER, outcome=Outcome.DONE, seconds=7.2)),
    (7.7, e.StageStarted(stage=Stage.TOKEN)),
    (7.8, e.TokenWaiting(attempt=1, saw="Preferences.xml has no PlexOnlineToken yet")),
    (17.8, e.TokenFound(source="Preferences.xml", plex_pass=True)),
    (17.8, e.StageFinished(stage=Stage.TOKEN, outcome=Outcome.DONE, seconds=10.1)),
    (17.8, e.StageStarted(stage=Stage.QUIET)),
    (17.9, e.NotificationsConnected()),
    (
        18.2,
        e.PrefsQuieted(
            changed=(PrefChange(id="autoEmptyTrash", before="1", after="0"),),
            absent=("MusicAnalysisBehavior",),
            butler_stopped=("DeepMediaAnalysis",),
        ),
    ),
    (18.2, e.StageFinished(stage=Stage.QUIET, outcome=Outcome.DONE, seconds=0.4)),
    (18.2, e.StageStarted(stage=Stage.CATALOGUE)),
    (18.3, e.SectionsChanged(sections=(_MOVIES,))),
    (18.9, e.SectionCreated(section=MUSIC, locations=("/media/Music",))),
    (19.0, e.SectionsChosen(sections=(_MOVIES, _MUSIC))),
    (19.0, e.StageFinished(stage=Stage.CATALOGUE, outcome=Outcome.DONE, seconds=0.8)),
    (19.0, e.StageStarted(stage=Stage.SECTIONS)),
    (19.0, e.SectionStarted(section=MOVIES, phases=(Phase.SCAN, Phase.ANALYZE))),
    (
        19.0,
        e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=3600.0, cap=28800.0),
    ),
    (
        19.2,
        e.ActivitiesChanged(
            running=(
                Activity(
                    uuid="a1", kind="library.update.section", title="Scanning Movies", section=1, progress=3.0
                ),
            )
        ),
    ),
    (19.3, e.ScannersChanged(running=(Scanner(pid=4720, kind=ScannerKind.SCAN, section=1),))),
    (21.0, e.LibraryChanged(rows=36, sections=(1,))),
    (21.1, e.ItemsChanged(section=1, pending=4, finished=9, deleted=0)),
    (
        30.0,
        e.SectionPhaseProgressed(
            section=MOVIES, phase=Phase.SCAN, done=1234, total=2100, percent=58.8, rate=35.0, eta=24.7
        ),
    ),
    (31.0, e.RunHeartbeat(uptime=31.0, stage="sections")),
    (40.0, e.MountSuspected(path="/media", reason="hung", detail="no answer for 5 s")),
    (45.0, e.MountLost(path="/media", reason="hung", detail="no answer for 10 s")),
    (61.0, e.MountRestored(path="/media", after=21.0)),
    (62.0, e.NotificationsLost(detail="connection reset by peer")),
    (82.0, e.SectionPhaseFinished(section=MOVIES, report=_SCAN)),
    (
        82.1,
        e.LibraryCounted(section=1, items=2106, trashed=3, media=2106, analyzed=2100, tracks=0, sonic=0),
    ),
    (
        82.2,
        e.SectionPhaseStarted(section=MOVIES, phase=Phase.ANALYZE, attempt=1, budget=3600.0, cap=28800.0),
    ),
    (503.7, e.SectionPhaseFinished(section=MOVIES, report=_ANALYZE)),
    (504.0, e.SectionFinished(section=MOVIES, report=MOVIES_REPORT)),
    (504.0, e.SectionStarted(section=MUSIC, phases=(Phase.SONIC,))),
    (
        504.0,
        e.SectionPhaseStarted(section=MUSIC, phase=Phase.SONIC, attempt=2, budget=3600.0, cap=28800.0),
    ),
    (600.0, e.MonitorCrashed(monitor="progress", error="database is locked", retry_in=2.0)),
    (4104.0, e.SectionPhaseOverdue(section=MUSIC, phase=Phase.SONIC, after=3600.0)),
    (
        4416.0,
        e.SectionPhaseStalled(section=MUSIC, phase=Phase.SONIC, idle=600.0, open=("Sonic analysis",)),
    ),
    (4416.0, e.SectionPhaseFinished(section=MUSIC, report=_SONIC)),
    (4416.0, e.SectionFinished(section=MUSIC, report=MUSIC_REPORT)),
    (4416.1, e.StageFinished(stage=Stage.SECTIONS, outcome=Outcome.DONE, seconds=4397.1)),
    (4416.2, e.StageStarted(stage=Stage.STATISTICS)),
    (4416.5, e.StatsCollected(when="after", reliable=True, statistics=_statistics(2106, 3))),
    (4416.5, e.StageFinished(stage=Stage.STATISTICS, outcome=Outcome.DONE, seconds=0.3)),
    (4416.6, e.StageStarted(stage=Stage.RESTORE)),
    (
        4416.8,
        e.PrefsRestored(
            restored=(PrefChange(id="autoEmptyTrash", before="0", after="1"),), kept=("ButlerStartHour",)
        ),
    ),
    (4416.9, e.StageFinished(stage=Stage.RESTORE, outcome=Outcome.DONE, seconds=0.3)),
    (4417.0, e.StageStarted(stage=Stage.STOP)),
    (4420.0, e.PlexStopped(exit_code=0, wal_empty=True)),
    (4420.0, e.StageFinished(stage=Stage.STOP, outcome=Outcome.DONE, seconds=3.0)),
    (
        4420.1,
        e.RunFinished(
            verdict=Verdict.SET_ASIDE,
            exit_code=7,
            duration=4420.1,
            sections=(MOVIES_REPORT, MUSIC_REPORT),
            detail="1 of 2 sections was set aside",
        ),
    ),
)
"""The run: seconds since its start, and what happened."""

MISHAPS: tuple[tuple[float, e.Event], ...] = (
    (0.2, e.LibraryInjected(archive="/data/library.tar.zst", kept="")),
    (
        0.3,
        e.LibraryJudged(
            healthy=False, findings=("media_parts: page 501 is unreadable",), more=2, seconds=6.1
        ),
    ),
    (
        0.3,
        e.LibraryRepaired(
            steps=("leaf rebuild", "index surgery"),
            lost={"media_parts": 1},
            kept=("/config/library.db-damaged-20261122-180601",),
        ),
    ),
    (
        4420.0,
        e.LibraryExported(
            archive="/data/library-new.tar.zst", size=5_300_000_000, when="final", seconds=87.0
        ),
    ),
    (
        0,
        e.RunPlanned(
            steps=("take Movies through: scan, analysis", "put every setting of Plex back as it was")
        ),
    ),
    (0, e.PlexAttached(url="http://127.0.0.1:32400")),
    (
        1,
        e.ImagePullProgressed(
            image="plexinc/pms-docker", layers=9, layers_done=4, done=61_000_000, total=150_000_000
        ),
    ),
    (
        14,
        e.ImagePulled(
            image="plexinc/pms-docker", id="sha256:9f2c…", size=371_000_000, seconds=13.2, already=False
        ),
    ),
    (
        15,
        e.ContainerStarted(name="plex", id="6d1f…", image="plexinc/pms-docker", pid=4703),
    ),
    (
        16,
        e.ContainerAdopted(name="plex", id="6d1f…", image="plexinc/pms-docker", pid=4703, thawed=4),
    ),
    (
        17,
        e.ContainerMeasured(name="plex", cpus=1.24, memory=1_310_000_000, limit=4_000_000_000),
    ),
    (
        18,
        e.ContainerLogNoticed(kind="scan_started", line="The '--scan' operation is deprecated"),
    ),
    (
        3580,
        e.PlexFrozen(processes=6, seconds=0.0021, reason="the mount died"),
    ),
    (3581, e.PlexThawed(processes=6, after=0.6)),
    (
        3582,
        e.EngineLost(detail="Docker's event stream ended"),
    ),
    (3585, e.EngineRestored(after=2.7)),
    (
        3586,
        e.PlexFaultSeen(fault="out_of_memory", detail="the kernel killed a process of the container"),
    ),
    (
        3587,
        e.ContainerExited(name="plex", exit_code=137, oom=True, log=("Killed",)),
    ),
    (
        3588,
        e.LogsCollected(path="/state/logs/20261122T180601Z-7f3a.tar.gz", files=7, size=2_400_000),
    ),
    (
        3590,
        e.MountSlow(path="/media", latency=4.2, usual=0.3, detail="the backend answers, but late"),
    ),
    (
        3591,
        e.MountRecovering(
            path="/media",
            generation=2,
            reason="dead",
            attempt=1,
            detail="a new mount is made beside the old one",
        ),
    ),
    (
        3592,
        e.ConnectionsLimited(
            limit=4, before=8, resets=3, throttled=0, detail="3 connections were reset: fewer reads at once"
        ),
    ),
    (
        3593,
        e.WarmProgressed(
            section=MOVIES, done=500, total=2106, failed=1, bytes_read=32_000_000, rate=150.0, eta=10.7
        ),
    ),
    (
        3594,
        e.WarmFinished(
            section=MOVIES,
            read=2105,
            failed=(WarmFailure(path="/media/Movies/Alien (1979).mkv", reason="Input/output error"),),
            left=0,
            bytes_read=137_000_000,
            seconds=14.2,
        ),
    ),
    (20, e.SnapshotTaken(path="/state/snapshots/20261122T180601Z", size=15_200_000_000, seconds=0.4)),
    (
        20,
        e.GuardGated(section=MOVIES, sampled=64, found=64, missing=(), limit=0.2, passed=True),
    ),
    (
        20,
        e.GuardGated(
            section=MUSIC,
            sampled=64,
            found=12,
            missing=("/media/Music/Air/Moon Safari/01 La femme d'argent.flac",),
            limit=0.2,
            passed=False,
        ),
    ),
    (21, e.GuardRecorded(section=MOVIES, parts=2106, size=9_100_000_000_000, seconds=0.2)),
    (
        3595,
        e.GuardTripped(
            section=MOVIES,
            reason="removals",
            count=23,
            budget=21,
            names=("/media/Movies/Alien (1979).mkv",),
        ),
    ),
    (3596, e.GuardCleared(section=MOVIES, confirmed=23, seconds=0.8)),
    (
        3597,
        e.GuardConfirmed(section=MOVIES, detail="23 of 23 sampled files are in storage"),
    ),
    (3597, e.FreezeSpent(seconds=1800.0, detail="storage is still lost")),
    (3598, e.LibraryHealing(section=MOVIES, files=23, folders=("/media/Movies",))),
    (3598, e.LibraryRevived(wanted=3, untrashed=1, reinserted=2, already=0, lost=0)),
    (
        3599,
        e.LibraryVerified(
            section=MOVIES,
            counts=RemovalCounts(confirmed=1, healed=20, restored=3),
            removals=(
                Removal(part=17, title="Alien", file="/media/Movies/Alien (1979).mkv", fate="healed"),
                Removal(part=18, title="Solaris", file="/media/Movies/Solaris (1972).mkv", fate="confirmed"),
            ),
            report="/state/runs/20261122T180601Z-7f3a/removals.jsonl",
        ),
    ),
    (3599, e.TrashEmptied(section=MOVIES, items=1)),
    (3599, e.TrashKept(section=MUSIC, items=4, detail="3 of them are in doubt")),
    (3599, e.ViewersFound(viewers=("anna: Alien",), waiting=True)),
    (3599, e.RunResumed(gap=95.0, done=(MOVIES,), interrupted=MUSIC, ended_by="it was killed")),
    (
        3599,
        e.JournalFailed(
            path="/state/runs/20261122T180601Z-7f3a/journal.db", detail="no space left on device"
        ),
    ),
    (3599, e.JournalRestored(path="/state/runs/20261122T180601Z-7f3a/journal.db", missing=12)),
    (3600, e.MountAbandoned(path="/media", detail="lost for 30 min")),
    (3601, e.PlexLost(detail="connection refused")),
    (3602, e.RunInterrupted(signal="SIGTERM")),
)
"""What the run above did without, so that no type is missing."""


def envelopes(story: tuple[tuple[float, e.Event], ...] = RUN) -> Iterator[Envelope]:
    """Yield *story* as the recorder of a run would stamp it."""
    start = datetime(2026, 11, 22, 18, 6, 1, 123000, tzinfo=UTC)
    clock = start
    recorder = Recorder(run="20261122-180601-7f3a", clock=lambda: clock)
    with recorder.envelopes.subscribe(Envelope) as stamped:
        for after, event in story:
            clock = start + timedelta(seconds=after)
            recorder.record(event)
            yield from stamped.take()
