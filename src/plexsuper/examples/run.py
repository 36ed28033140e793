"""The example run: a film section is scanned while storage fails for a moment, then music stalls and is set aside."""

from plexsuper import events as e
from plexsuper.examples.people import (
    ANALYZE,
    MOVIES,
    MOVIES_REPORT,
    MOVIES_SECTION,
    MUSIC,
    MUSIC_REPORT,
    MUSIC_SECTION,
    SCAN,
    SONIC,
    statistics,
)
from plexsuper.terms import Activity, Outcome, Phase, PrefChange, Scanner, ScannerKind, Stage, Verdict

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
    (
        0.3,
        e.DatabaseChecked(path="/config/library.db", fresh=False, sections=(MOVIES_SECTION, MUSIC_SECTION)),
    ),
    (0.4, e.StatsCollected(when="before", reliable=True, statistics=statistics(2100, 0))),
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
    (18.3, e.SectionsChanged(sections=(MOVIES_SECTION,))),
    (18.9, e.SectionCreated(section=MUSIC, locations=("/media/Music",))),
    (19.0, e.SectionsChosen(sections=(MOVIES_SECTION, MUSIC_SECTION))),
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
    (82.0, e.SectionPhaseFinished(section=MOVIES, report=SCAN)),
    (
        82.1,
        e.LibraryCounted(section=1, items=2106, trashed=3, media=2106, analyzed=2100, tracks=0, sonic=0),
    ),
    (
        82.2,
        e.SectionPhaseStarted(section=MOVIES, phase=Phase.ANALYZE, attempt=1, budget=3600.0, cap=28800.0),
    ),
    (503.7, e.SectionPhaseFinished(section=MOVIES, report=ANALYZE)),
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
    (4416.0, e.SectionPhaseFinished(section=MUSIC, report=SONIC)),
    (4416.0, e.SectionFinished(section=MUSIC, report=MUSIC_REPORT)),
    (4416.1, e.StageFinished(stage=Stage.SECTIONS, outcome=Outcome.DONE, seconds=4397.1)),
    (4416.2, e.StageStarted(stage=Stage.STATISTICS)),
    (4416.5, e.StatsCollected(when="after", reliable=True, statistics=statistics(2106, 3))),
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
