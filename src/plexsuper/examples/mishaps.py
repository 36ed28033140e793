"""Every type of event that the example run did without."""

from plexsuper import events as e
from plexsuper.examples.people import MOVIES, MUSIC
from plexsuper.terms import FileLeft, Phase, PrefChange, Removal, RemovalCounts, WarmFailure

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
            losses=("media_parts: 12 rows",),
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
    (
        0,
        e.LeftoversFound(
            frozen=4,
            settings=("/var/lib/plexsuper/preferences-7f3a….json",),
            server=True,
            mount=True,
            copies=("/config/Databases.plexsuper-20261122T180512Z-3f1a",),
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
    (3581.2, e.PlexFoundFrozen(processes=6, stood=45.0)),
    (3581.3, e.PrefsChanged()),
    (
        3581.4,
        e.PrefsQuietedAgain(changed=(PrefChange(id="autoEmptyTrash", before="1", after="0"),)),
    ),
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
    (3590, e.MountMeasured(path="/media", latency=0.31, worst=1.2, looks=6, backend=0.08)),
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
    (3599, e.SectionsUnknown(sections=("Books (type book)",))),
    (3599, e.SectionDeleted(section=MUSIC)),
    (3599, e.SectionsAdded(sections=(MUSIC,))),
    (
        3599,
        e.SectionReopened(
            section=MUSIC, reason="the library database is in a state from before the end of this section"
        ),
    ),
    (3599, e.ClockJumped(seconds=3600.0)),
    (3599, e.ClockJumped(seconds=-3600.0)),
    (3599, e.SectionPhaseAwaited(section=MUSIC, phase=Phase.ANALYZE, after=30.0, asked=False)),
    (3599, e.SectionFilesRetried(section=MUSIC, phase=Phase.ANALYZE, files=683)),
    (
        3599,
        e.SectionFilesLeft(
            section=MUSIC,
            phase=Phase.ANALYZE,
            left=2,
            total=1305,
            reasons={"failed": 1, "gone": 1},
            files=(
                FileLeft(path="/media/Music/Artist/Album/01.flac", reason="failed"),
                FileLeft(path="/media/Music/Artist/Album/02.flac", reason="gone"),
            ),
            retried=683,
            recovered=682,
        ),
    ),
    (3599, e.JournalRestored(path="/state/runs/20261122T180601Z-7f3a/journal.db", missing=12)),
    (3600, e.MountAbandoned(path="/media", detail="lost for 30 min")),
    (3601, e.PlexLost(detail="connection refused")),
    (3602, e.RunInterrupted(signal="SIGTERM")),
)
"""What the run above did without, so that no type is missing."""
