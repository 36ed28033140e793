"""Proves what every event says to a person, and how numbers are written."""

import pytest

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, RUN
from plexsuper.faces import marks, numbers, vocabulary
from plexsuper.faces.words import sentence, standing
from plexsuper.state import Now
from plexsuper.terms import Counts, Outcome, Phase, PrefChange, RemovalCounts, Stage, Statistics, Verdict

SAID = """\
run started with profile local_delta; 10 min without progress count as a stall
preflight: looking at this machine
disk: 4.1 GB are free where the database is; a snapshot needs 6.0 GB → free 2 GB below /config
preflight done in 0.2 s
database: reading the library database
library database is readable, 2 sections
library before the run: 40 artists, 112 albums, 1,305 tracks, 800 sonic, 2,100 movies
database done in 0.2 s
storage: proving the storage by its content
storage /media is proved: 3 files of 2 sections read (12 ms)
storage done in 0.1 s
server: waiting for Plex
Plex started as process 4711
Plex is not listening yet, try 1: no answer: connection refused
Plex is in maintenance, try 2: HTTP 503: Plex Media Server is currently running startup maintenance tasks.
Plex 1.43.0.10492 is ready after 7.1 s (claimed)
server done in 7.2 s
token: reading the token
no token yet, try 1: Preferences.xml has no PlexOnlineToken yet
token found in Preferences.xml (Plex Pass)
token done in 10 s
quiet: silencing Plex's background work
Plex's notifications are connected
Plex is quiet: 1 preference changed, stopped DeepMediaAnalysis
quiet done in 0.4 s
catalogue: choosing the sections
sections on the server: Movies
section Music created for /media/Music
2 sections to do: Movies, Music
catalogue done in 0.8 s
sections: one section after another
Movies: scan, analysis
scan of Movies started
Plex is busy with: Scanning Movies
scanner processes: scan 4720
library written: 36 rows changed
section 1: 9 items finished, 4 pending, 0 deleted
scan of Movies: 58 %, 1,234 of 2,100, 35/s, ≈ 20 s
alive for 31 s, in sections
storage /media is suspected: it hangs (no answer for 5 s)
storage /media is lost: it hangs (no answer for 10 s)
storage /media is back after 21 s
Plex's notifications are lost (connection reset by peer); polling goes on
scan of Movies done after 1 min 03 s
section 1: 2,106 items, 3 in the trash, 2,100 of 2,106 analysed
analysis of Movies started
analysis of Movies done after 7 min 02 s
Movies done after 8 min 05 s
Music: sonic analysis
sonic analysis of Music started (try 2)
monitor progress crashed (database is locked); again in 2 s
sonic analysis of Music is past its budget of 1 h, but progresses: it goes on
sonic analysis of Music stalled: no sign of progress for 10 min; open in Plex: Sonic analysis
sonic analysis of Music stalled after 1 h 05 m: no sign of progress for 10 min
Music set aside after 1 h 05 m: sonic analysis stalled twice
sections done in 1 h 13 m
statistics: counting the library
library after the run: 40 artists, 112 albums, 1,305 tracks, 800 sonic, 2,106 movies; 3 in the trash
statistics done in 0.3 s
restore: restoring Plex's preferences
1 preference of Plex set back; left alone, changed by somebody else: ButlerStartHour
restore done in 0.3 s
stop: saying goodbye to Plex
Plex stopped with exit code 0
stop done in 3 s
run ended after 1 h 13 m: finished, but sections were set aside: 1 of 2 sections was set aside
library of /data/library.tar.zst is in place
library databases are damaged: media_parts: page 501 is unreadable and 2 more
library repaired (leaf rebuild, index surgery); lost: media_parts: 12 rows; damaged files: /config/library.db-damaged-20261122-180601
library exported to /data/library-new.tar.zst (5.3 GB) in 1 min 27 s
plan made: 2 steps, listed at the end
left by an earlier run: Plex stands still (4 processes), Plex's settings are silenced, Plex runs, and was started for it, its mount, 1 copy of the library
Plex already runs at http://127.0.0.1:32400; it will be left running
pulling plexinc/pms-docker: 4 of 9 layers, 61 MB of 150 MB
image plexinc/pms-docker pulled in 13 s (371 MB)
container plex started from plexinc/pms-docker as process 4703
container plex of an earlier run is taken over (process 4703); 4 of its processes were left frozen
container plex uses 1.2 processors and 1.3 GB of 4.0 GB
container log, scan started: The '--scan' operation is deprecated
Plex frozen, 6 processes in 2 ms: the mount died
Plex goes on after 0.6 s, 6 processes let go
Plex was left frozen by a run that died, 6 processes for 45 s; it goes on when storage is proved
a preference of Plex was changed
somebody changed autoEmptyTrash in Plex during the run: silenced again, and put back at the end as he wants it
the Docker engine is lost: Docker's event stream ended
the Docker engine is back after 2.7 s
Plex has a fault that waiting will not mend: the kernel killed a process of the container
container plex ended with exit code 137, out of memory
7 logs collected in /state/logs/20261122T180601Z-7f3a.tar.gz (2.4 MB)
storage /media is slow, 4.2 s instead of 0.3 s: the backend answers, but late
storage /media answers in 0.3 s, at most 1.2 s in 6 looks; the remote in 80 ms
storage /media, its file system is dead: a new mount is made beside the old one
at most 4 reads of the storage at once (was 8): 3 connections were reset: fewer reads at once
Movies: 500 of 2,106 files warm, 1 failed
Movies: 2,105 files warm after 14 s; 1 file failed, first /media/Movies/Alien (1979).mkv: Input/output error
library copied to /state/snapshots/20261122T180601Z (15 GB) in 0.4 s
Movies: 64 of 64 sampled files are in storage
Music: only 12 of 64 sampled files are in storage, not /media/Music/Air/Moon Safari/01 La femme d'argent.flac; more than 20 % missing: not scanned. Map the paths, or scan from scratch
Movies: what it has is noted, 2,106 files (9.1 TB) in 0.2 s
Movies: entries vanish, 23 (allowed: 21), first /media/Movies/Alien (1979).mkv
Movies: really gone from storage: 23 files, looked up in 0.8 s; it goes on
Movies: entries are removed wrongly: 23 of 23 sampled files are in storage
Plex stood still for 30 min, longer is not allowed: storage is still lost
Movies: 23 entries removed wrongly; 1 folder scanned again
3 of 3 entries brought back from the snapshot, 0 lost
removals of Movies: 1 really deleted, 20 healed by a scan, 3 restored from the snapshot
Movies: trash emptied, 1 entry
Music: trash of 4 entries kept: 3 of them are in doubt
somebody is watching: anna: Alien; waiting until nobody does
an unfinished run goes on after 1 min 35 s (it was killed); 1 section done before
journal /state/runs/20261122T180601Z-7f3a/journal.db cannot be written: no space left on device; the run goes on
left out: Books (type book); plexsuper does not know this kind of section, and nothing in it is indexed
Music was deleted in Plex by somebody: nothing more is done with it, and nothing of it is lost
added in Plex during the run: Music; not done by it, start plexsuper once more for that
Music is done again: the library database is in a state from before the end of this section
the clock of this machine went forward by 1 h: it was set, or the machine slept
the clock of this machine went back by 1 h: it was set, or the machine slept
analysis of Music: nothing seen for 30 s, waiting once more
Music: 683 files left by the analysis, asked for once more
Music: 2 of 1,305 files not analysed (Plex failed on it: 1; not in storage: 1); first /media/Music/Artist/Album/01.flac; the second try got 682 of 683
journal /state/runs/20261122T180601Z-7f3a/journal.db is written again
storage /media is given up: lost for 30 min
Plex is lost: connection refused
SIGTERM received: ending cleanly (once more forces)
"""


@pytest.mark.parametrize(
    ("event", "said"),
    list(zip((event for _, event in (*RUN, *MISHAPS)), SAID.splitlines(), strict=True)),
    ids=lambda value: type(value).__name__ if isinstance(value, e.EVENT_TYPES) else "",
)
def test_an_event_says(event, said):
    assert sentence(event) == said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (e.RunHeartbeat(uptime=90, stage="server", dropped=1200), "alive for 1 min 30 s, in server; 1,200 lines could not be written"),
        (e.RunPlanned(steps=()), "plan: nothing to do"),
        (e.LeftoversFound(), "left by an earlier run: nothing"),
        (e.RunStarted(profile="p", interval=1, stall_after=1, versions={}, sections=(), settings={}, tidy=True), "tidying up what an earlier run has left"),
        (e.RunResumed(gap=60, done=(MOVIES,), interrupted=None, ended_by="it was killed", tidy=True), "an unfinished run is tidied up after 1 min (it was killed); 1 section done before"),
        (e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=59.6, sections=()), "run ended after 1 min: done"),
        (e.StageFinished(stage=Stage.STORAGE, outcome=Outcome.FAILED, seconds=60, exit_code=4, detail="/media is empty"), "storage failed in 1 min: /media is empty"),
        (e.PreflightFinding(severity="ok", subject="rclone", message="1.71"), "rclone: 1.71"),
        (e.DatabaseChecked(path="/c/l.db", fresh=True), "no library database at /c/l.db: Plex will start from scratch"),
        (e.PlexWaiting(attempt=3, state="unreachable", status=None, excerpt=""), "Plex is unreachable, try 3: no answer"),
        (e.PlexReady(version="1", machine="", claimed=False, after=0), "Plex 1 is ready after 0 s (not claimed)"),
        (e.PlexStopped(exit_code=None, wal_empty=False), "Plex stopped; its write-ahead log is not empty"),
        (e.TokenFound(source="PLEX_TOKEN", plex_pass=False), "token found in PLEX_TOKEN (no Plex Pass)"),
        (e.LibraryVerified(section=None, counts=RemovalCounts(), unaccounted=(MOVIES,)), "removals of the run: none; not known: Movies"),
        (e.PrefsRestored(restored=(PrefChange(id="a", before="1", after="0"),) * 2, kept=(), failed=("b",)), "2 preferences of Plex set back; NOT restored: b"),
        (e.PrefsRestored(restored=(), kept=(), withheld=("autoEmptyTrash",)), "0 preferences of Plex set back; stays off until a later run has nothing in doubt: autoEmptyTrash"),
        (e.SectionPhaseProgressed(section=MOVIES, phase=Phase.REFRESH, done=7, total=None, percent=None, rate=None, eta=None), "metadata refresh of Movies: 7 so far"),
        (e.SectionPhaseStalled(section=MOVIES, phase=Phase.SCAN, idle=150, open=()), "scan of Movies stalled: no sign of progress for 2 min 30 s; open in Plex: nothing"),
        (e.StatsCollected(when="before", reliable=True, statistics=Statistics(live=Counts(movies=1, photo_albums=1, sonic=1), trashed=Counts(), sections=())), "library before the run: 1 sonic, 1 movie, 1 photo album"),
        (e.SectionFilesLeft(section=MOVIES, phase=Phase.ANALYZE, left=0, total=9, reasons={}, files=()), "Movies: analysis has left nothing"),
        (e.SectionFilesLeft(section=MOVIES, phase=Phase.ANALYZE, left=0, total=9, reasons={}, files=(), retried=9, recovered=9), "Movies: analysis has left nothing; the second try got 9 of 9"),
        (e.SectionFilesRetried(section=MOVIES, phase=Phase.SONIC, files=1), "Movies: 1 track left by the sonic analysis, asked for once more"),
        (e.SectionPhaseAwaited(section=MOVIES, phase=Phase.ANALYZE, after=30, asked=False), "analysis of Movies: nothing seen for 30 s, waiting once more"),
        (e.SectionPhaseAwaited(section=MOVIES, phase=Phase.ANALYZE, after=60, asked=True), "analysis of Movies: nothing seen for 1 min, asked for a few files once more"),
        (e.SectionFilesLeft(section=MOVIES, phase=Phase.SONIC, left=1, total=1, reasons={"unknown": 1}, files=()), "Movies: 1 of 1 track without sonic data (nothing tells why: 1)"),
        (e.GuardGated(section=MOVIES, sampled=0, found=0, missing=(), limit=0.1, passed=True), "Movies: nothing to look up in storage yet"),
        (e.GuardRecorded(section=MOVIES, parts=0, size=0, seconds=0.1), "Movies: the library has no files of it yet"),
        (e.StatsCollected(when="after", reliable=False, statistics=Statistics(live=Counts(), trashed=Counts(), sections=())), "library after the run: an empty library (not reliable: storage was unstable)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, e.EVENT_TYPES) else "",
)  # fmt: skip
def test_an_event_without_its_usual_parts_says(event, said):
    assert sentence(event) == said


def test_what_is_not_started_again_says_so():
    fact = e.MonitorCrashed(monitor="journal", error="ValueError: a bug", retry_in=0.0)
    assert sentence(fact) == "monitor journal crashed (ValueError: a bug); it is not started again"


def test_a_text_from_outside_cannot_break_the_line_or_steer_the_terminal():
    hostile = "line\r\nbreak \x1b[2J\x07 \u2028 half \ud800 end\n"
    assert sentence(e.PlexLost(detail=hostile)) == "Plex is lost: line break [2J half end"


@pytest.mark.lesson("L03")
def test_the_four_phases_have_texts_and_icons_of_their_own():
    phases = list(Phase)
    for shown in (
        [vocabulary.PHASES[p] for p in phases],
        [vocabulary.SHORT[p] for p in phases],
        [marks.PHASES[p].symbol for p in phases],
        [marks.PHASES[p].style for p in phases],
    ):
        assert len(set(shown)) == 4
    started = {
        sentence(e.SectionPhaseStarted(section=MOVIES, phase=p, attempt=1, budget=1, cap=1)) for p in phases
    }
    assert started == {
        "scan of Movies started",
        "analysis of Movies started",
        "metadata refresh of Movies started",
        "sonic analysis of Movies started",
    }


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Now(), "still in its start"),
        (Now(stage=Stage.SERVER), "still in server"),
        (Now(stage=Stage.SECTIONS, section=MOVIES, phase=Phase.SONIC, open=("a", "b")), "still in sonic analysis of Movies; open in Plex: a, b"),
    ],
)  # fmt: skip
def test_where_a_run_without_news_stands(now, said):
    assert standing(now) == said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.0004, "0 s"), (0.012, "12 ms"), (0.0996, "0.1 s"), (0.44, "0.4 s"), (2, "2 s"), (9.94, "9.9 s"),
        (9.96, "10 s"), (12.4, "12 s"), (59.5, "1 min"), (60, "1 min"), (422, "7 min 02 s"), (3599.6, "1 h"),
        (3780, "1 h 03 m"), (172_799, "47 h 59 m"), (172_800, "2 d 00 h"), (190_800, "2 d 05 h"),
    ],
)  # fmt: skip
def test_a_duration(seconds, text):
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("function", "number", "text"),
    [
        (numbers.count, 0, "0"),
        (numbers.count, 1_234_567, "1,234,567"),
        (numbers.change, 6, "+6"),
        (numbers.change, -1300, "-1,300"),
        (numbers.change, 0, "·"),
        (numbers.clock, 0.99, "0:00:00"),
        (numbers.clock, 7, "0:00:07"),
        (numbers.clock, 255_899, "71:04:59"),
        (numbers.clock, -3, "0:00:00"),
        (numbers.rate, 2100.4, "2,100/s"),
        (numbers.rate, 35, "35/s"),
        (numbers.rate, 2.5, "2.5/s"),
        (numbers.rate, 0.7, "42/min"),
        (numbers.rate, 0.003, "11/h"),
        (numbers.eta, 3, "≈ a few s"),
        (numbers.eta, 24.7, "≈ 20 s"),
        (numbers.eta, 840, "≈ 14 min"),
        (numbers.eta, 9000, "≈ 2.5 h"),
        (numbers.eta, 260_000, "≈ 3 d"),
        (numbers.percent, 99.99, "99 %"),
        (numbers.percent, 100, "100 %"),
        (numbers.percent, 130, "100 %"),
    ],
)
def test_a_number(function, number, text):
    assert function(number) == text


def test_signs_that_an_encoding_lacks_are_replaced_by_ascii_of_the_same_width():
    assert marks.encodable("✔ Séries ━━╸── ≈ 2 …", "utf-8").decode() == "✔ Séries ━━╸── ≈ 2 …"
    assert (
        marks.encodable("✔ Séries ━━╸── ≈ 2 …", "latin-1")
        == b"+ S\xe9ries =====".replace(b"=====", b"===--") + b" ~ 2 ."
    )
    assert marks.encodable("♪ 音楽", "ascii") == b"# ??"
    assert marks.encodable("2 → 3", "ascii") == b"2 > 3"


def test_every_named_value_has_its_word():
    for table, values in (
        (vocabulary.PHASES, Phase),
        (vocabulary.STAGES, Stage),
        (vocabulary.DOES, Stage),
        (vocabulary.OUTCOMES, Outcome),
        (vocabulary.VERDICTS, Verdict),
        (marks.PHASES, Phase),
        (marks.OUTCOMES, Outcome),
    ):
        assert set(table) == set(values)
    assert {marks.verdict(v).symbol for v in Verdict} == {"✔", "!", "◼", "✘"}
