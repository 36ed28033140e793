"""Proves the plain log: the lines of a whole run, what is left out, and that silence is broken."""

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest

from plexsuper import events as e
from plexsuper.bus import Bus
from plexsuper.examples import MOVIES, envelopes
from plexsuper.faces.text import Log, show_text
from plexsuper.faces.writer import LineWriter
from plexsuper.state import Now
from plexsuper.stream import Envelope
from plexsuper.terms import Outcome, Phase, Stage, Verdict

START = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)

LOG = """\
[18:06:01]   run started with profile local_delta; 10 min without progress count as a stall
[18:06:01]   preflight: looking at this machine
[18:06:01] ! disk: 4.1 GB are free where the database is; a snapshot needs 6.0 GB → free 2 GB below /config
[18:06:01]   preflight done in 0.2 s
[18:06:01]   database: reading the library database
[18:06:01]   library database is readable, 2 sections
[18:06:01]   library before the run: 40 artists, 112 albums, 1,305 tracks, 800 sonic, 2,100 movies
[18:06:01]   database done in 0.2 s
[18:06:01]   storage: proving the storage by its content
[18:06:01]   storage /media is proved: 3 files of 2 sections read (12 ms)
[18:06:01]   storage done in 0.1 s
[18:06:01]   server: waiting for Plex
[18:06:01]   Plex started as process 4711
[18:06:02]   Plex is not listening yet, try 1: no answer: connection refused
[18:06:04]   Plex is in maintenance, try 2: HTTP 503: Plex Media Server is currently running startup maintenance tasks.
[18:06:08]   Plex 1.43.0.10492 is ready after 7.1 s (claimed)
[18:06:08]   server done in 7.2 s
[18:06:08]   token: reading the token
[18:06:08]   no token yet, try 1: Preferences.xml has no PlexOnlineToken yet
[18:06:18]   token found in Preferences.xml (Plex Pass)
[18:06:18]   token done in 10 s
[18:06:18]   quiet: silencing Plex's background work
[18:06:19]   Plex is quiet: 1 preference changed, stopped DeepMediaAnalysis
[18:06:19]   quiet done in 0.4 s
[18:06:19]   catalogue: choosing the sections
[18:06:20]   section Music created for /media/Music
[18:06:20]   2 sections to do: Movies, Music
[18:06:20]   catalogue done in 0.8 s
[18:06:20]   sections: one section after another
[18:06:20]   Movies: scan, analysis
[18:06:20]   scan of Movies started
[18:06:31]   scan of Movies: 58 %, 1,234 of 2,100, 35/s, ≈ 20 s
[18:06:41] ! storage /media is suspected: it hangs (no answer for 5 s)
[18:06:46] ✘ storage /media is lost: it hangs (no answer for 10 s)
[18:07:02]   storage /media is back after 21 s
[18:07:03] ! Plex's notifications are lost (connection reset by peer); polling goes on
[18:07:23]   scan of Movies done after 1 min 03 s
[18:07:23]   analysis of Movies started
[18:14:24]   analysis of Movies done after 7 min 02 s
[18:14:25]   Movies done after 8 min 05 s
[18:14:25]   Music: sonic analysis
[18:14:25]   sonic analysis of Music started (try 2)
[18:16:01] ✘ monitor progress crashed (database is locked); again in 2 s
[19:14:25] ! sonic analysis of Music is past its budget of 1 h, but progresses: it goes on
[19:19:37] ! sonic analysis of Music stalled: no sign of progress for 10 min; open in Plex: Sonic analysis
[19:19:37] ! sonic analysis of Music stalled after 1 h 05 m: no sign of progress for 10 min
[19:19:37] ! Music set aside after 1 h 05 m: sonic analysis stalled twice
[19:19:37]   sections done in 1 h 13 m
[19:19:37]   statistics: counting the library
[19:19:37]   library after the run: 40 artists, 112 albums, 1,305 tracks, 800 sonic, 2,106 movies; 3 in the trash
[19:19:37]   statistics done in 0.3 s
[19:19:37]   restore: restoring Plex's preferences
[19:19:37]   1 preference of Plex set back; left alone, changed by somebody else: ButlerStartHour
[19:19:38]   restore done in 0.3 s
[19:19:38]   stop: saying goodbye to Plex
[19:19:41]   Plex stopped with exit code 0
[19:19:41]   stop done in 3 s
[19:19:41] ! run ended after 1 h 13 m: finished, but sections were set aside: 1 of 2 sections was set aside
"""


def at(seconds: float, event: e.Event, now: Now | None = None) -> Envelope:
    return Envelope(ts=START + timedelta(seconds=seconds), run="r", seq=1, event=event, now=now or Now())


def progress(done: int, phase: Phase = Phase.SCAN) -> e.SectionPhaseProgressed:
    return e.SectionPhaseProgressed(
        section=MOVIES, phase=phase, done=done, total=None, percent=None, rate=None, eta=None
    )


@pytest.mark.lesson("L02")
def test_a_whole_run_as_a_log():
    log = Log(UTC)
    lines = [line for envelope in envelopes() if (line := log.line(envelope)) is not None]
    assert "".join(f"{line}\n" for line in lines) == LOG


def test_the_time_is_the_one_of_the_zone():
    log = Log(timezone(timedelta(hours=5, minutes=30)))
    assert log.line(at(0, e.PlexLost(detail="x"))) == "[23:30:00] ✘ Plex is lost: x"


def test_progress_gets_a_line_every_thirty_seconds_and_at_once_in_a_new_phase():
    log = Log(UTC)
    told = [
        log.line(at(0, progress(1))),
        log.line(at(29.9, progress(2))),
        log.line(at(30, progress(3))),
        log.line(at(31, progress(4, Phase.ANALYZE))),
        log.line(at(32, progress(5, Phase.ANALYZE))),
    ]
    assert told == [
        "[18:00:00]   scan of Movies: 1 so far",
        None,
        "[18:00:30]   scan of Movies: 3 so far",
        "[18:00:31]   analysis of Movies: 4 so far",
        None,
    ]


def test_warming_files_gets_a_line_every_thirty_seconds_too():
    log = Log(UTC)
    warm = [
        e.WarmProgressed(section=MOVIES, done=n, total=9, failed=0, bytes_read=0, rate=None, eta=None)
        for n in range(3)
    ]
    told = [log.line(at(seconds, event)) for seconds, event in zip((0, 1, 30), warm, strict=True)]
    assert told == [
        "[18:00:00]   Movies: 0 of 9 files warm",
        None,
        "[18:00:30]   Movies: 2 of 9 files warm",
    ]


def test_a_heartbeat_gets_a_line_only_after_thirty_seconds_of_silence():
    log = Log(UTC)
    beat = e.RunHeartbeat(uptime=1, stage="server")
    now = Now(stage=Stage.SERVER)
    told = [
        log.line(at(0, e.StageStarted(stage=Stage.SERVER), now)),
        log.line(at(29, beat, now)),
        log.line(at(30, beat, now)),
        log.line(at(59, beat, now)),
    ]
    assert told == ["[18:00:00]   server: waiting for Plex", None, "[18:00:30]   still in server", None]


def read_all(fd: int) -> str:
    with os.fdopen(fd, encoding="utf-8") as file:
        return file.read()


async def test_the_log_ends_with_the_summary_and_where_things_are():
    reader, writer = os.pipe()
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as subscription:
        for envelope in envelopes():
            bus.publish(envelope)
    await show_text(subscription, LineWriter(writer), places={"events": "/run/events.jsonl"}, zone=UTC)
    os.close(writer)
    text = read_all(reader)
    assert text.startswith(LOG)
    summary = text.removeprefix(LOG)
    assert " ! finished, but sections were set aside after 1 h 13 m · exit code 7" in summary
    assert summary.endswith(" events  /run/events.jsonl\n\n")
    assert "\x1b" not in text


def test_the_pull_of_an_image_does_not_fill_a_log():
    log = Log(UTC)
    pulls = [e.ImagePullProgressed(image="x", layers=9, layers_done=n, done=0, total=0) for n in range(3)]
    told = [log.line(at(seconds, event)) for seconds, event in zip((0, 1, 30), pulls, strict=True)]
    assert told == [
        "[18:00:00]   pulling x: 0 of 9 layers, 0 B of 0 B",
        None,
        "[18:00:30]   pulling x: 2 of 9 layers, 0 B of 0 B",
    ]


def test_a_stage_that_was_skipped_took_no_time():
    skipped = e.StageFinished(stage=Stage.INPUTS, outcome=Outcome.SKIPPED, seconds=0.0)
    assert Log(UTC).line(at(0, skipped)) == "[18:00:00]   inputs skipped"


def test_what_is_in_the_way_of_a_run_gets_one_line():
    detail = "One thing is in the way of a run; nothing was started: disk: it is full"
    log = Log(UTC)
    told = [
        log.line(at(0, e.PreflightFinding(severity="error", subject="disk", message="it is full"))),
        log.line(
            at(
                1,
                e.StageFinished(
                    stage=Stage.PREFLIGHT, outcome=Outcome.FAILED, seconds=1, exit_code=3, detail=detail
                ),
            )
        ),
        log.line(
            at(
                1,
                e.RunFinished(verdict=Verdict.PREFLIGHT, exit_code=3, duration=1, sections=(), detail=detail),
            )
        ),
    ]
    assert told == [
        "[18:00:00] ✘ disk: it is full",
        "[18:00:01] ✘ preflight failed in 1 s",
        "[18:00:01] ✘ run ended after 1 s: preflight failed",
    ]
