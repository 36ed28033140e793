"""A run that another process takes over is told as one run: on the page, in the metrics and in the report."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from plexsuper import events as e
from plexsuper.audience import audience
from plexsuper.audience.earlier import Earlier
from plexsuper.config import Settings
from plexsuper.examples import MOVIES, RUN
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.web.page import serve_page
from plexsuper.journal import read
from plexsuper.journal.file import NAME
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import Verdict
from tests.journal import START, Clock, Writing, write_now
from tests.kill_run import at, place
from tests.real_run import RealRun

STARTED = RUN[0][1]
HALF = [event for _, event in RUN][: len(RUN) // 2]
REST = [
    STARTED,
    e.RunResumed(gap=60.0, done=(), interrupted=MOVIES, ended_by="it was killed"),
    *[event for _, event in RUN][len(RUN) // 2 :],
]


async def taken_over(state: Path) -> Writing:
    """Write half of the example run into a journal, and return the process that goes on with it a minute later."""
    writing = await write_now(state, "r", HALF)
    clock = Clock()
    clock.move(60)
    after = Writing("r", clock)
    after.recorder.go_on_after(len(writing.facts))
    return after


def whole() -> list[Envelope]:
    """The run as one recorder would have told it that had never been killed, with the gap in it."""
    clock = Clock()
    recorder = Recorder(run="r", clock=clock)
    with recorder.envelopes.subscribe(Envelope) as stamped:
        for fact in HALF:
            recorder.record(fact)
        clock.now = START + timedelta(seconds=60)
        for fact in REST:
            recorder.record(fact)
        return list(stamped.take())


async def test_what_was_told_before_comes_first_and_what_follows_joins_it(tmp_path):
    after = await taken_over(tmp_path)
    told: list[Envelope] = []
    join = await (await anyio.to_thread.run_sync(Earlier.of, tmp_path, "r")).catch_up(told.append)
    with after.recorder.envelopes.subscribe(Envelope) as live:
        for fact in REST:
            after.bus.publish(fact)
        told += [join(envelope) for envelope in live.take()]
    assert told == whole()


async def test_what_this_process_writes_meanwhile_is_not_told_twice(tmp_path):
    await write_now(tmp_path, "r", HALF)
    earlier = await anyio.to_thread.run_sync(Earlier.of, tmp_path, "r")
    await write_now(tmp_path, "r", REST)  # this one counts from one again
    told: list[Envelope] = []
    await earlier.catch_up(told.append)
    assert [envelope.event for envelope in told] == HALF


async def test_of_a_journal_that_is_damaged_since_only_its_readable_part_is_told(tmp_path):
    after = await taken_over(tmp_path)
    earlier = await anyio.to_thread.run_sync(Earlier.of, tmp_path, "r")
    file = anyio.Path(tmp_path / "runs" / "r" / NAME)
    await file.write_bytes(b"no journal any more" * 100)
    told: list[Envelope] = []
    join = await earlier.catch_up(told.append)
    with after.recorder.envelopes.subscribe(Envelope) as live:
        after.bus.publish(STARTED)
        (first,) = live.take()
    assert (told, join(first)) == ([], first)


async def test_the_report_of_a_run_that_went_on_has_both_parts(tmp_path):
    after = await taken_over(tmp_path)
    catch_up = (await anyio.to_thread.run_sync(Earlier.of, tmp_path, "r")).catch_up
    settings = Settings(state_dir=tmp_path)
    async with audience(settings, after.recorder.envelopes, after.bus.publish, tmp_path, catch_up):
        for fact in REST:
            after.bus.publish(fact)
    text = await anyio.Path(tmp_path / "report.html").read_text()
    assert "<dt>interrupted</dt><dd>once, for 1 min</dd>" in text
    assert "preflight" in text
    assert "sections" in text


async def test_the_metrics_of_half_a_run_are_never_given(tmp_path):
    after = await taken_over(tmp_path)
    catch_up = (await anyio.to_thread.run_sync(Earlier.of, tmp_path, "r")).catch_up
    held = anyio.Event()

    async def late(see: Any) -> Any:
        join = await catch_up(see)
        await held.wait()
        return join

    got: list[str] = []
    answered = anyio.Event()

    async def ask(url: str) -> None:
        got.append(await anyio.to_thread.run_sync(fetched, f"{url}metrics"))
        answered.set()

    async with serve_page(host="127.0.0.1", port=0) as page, anyio.create_task_group() as tasks:
        with after.recorder.envelopes.subscribe(Envelope) as live:
            tasks.start_soon(page.show, live, late)
            tasks.start_soon(ask, page.url)
            picture = ""
            while '"seq":0' in picture or not picture:
                picture = await anyio.to_thread.run_sync(fetched, f"{page.url}picture.json")
            assert got == []  # the story is there in part, its numbers are not given yet
            held.set()
            with anyio.fail_after(20):
                await answered.wait()
            live.close()
    assert f'plexsuper_events_total{{level="info"}} {float(levels(HALF)["info"])}' in got[0]


def levels(events: list[e.Event]) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events:
        found[e.level_of(event)] = found.get(e.level_of(event), 0) + 1
    return found


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_a_run_that_was_ended_and_goes_on_is_told_as_one_that_goes_on():
    clock = Clock()
    recorder = Recorder(run="r", clock=clock)
    chronicle = Chronicle()
    with recorder.envelopes.subscribe(Envelope) as told:
        recorder.record(STARTED)
        recorder.record(e.MountReady(path="/m", detail="fine", latency=0.1))
        recorder.record(e.MountLost(path="/m", reason="dead", detail="gone"))
        clock.move(10)
        recorder.record(
            e.RunFinished(verdict=Verdict.STORAGE, exit_code=4, duration=10.0, sections=(), detail="gone")
        )
        clock.move(60)
        recorder.record(STARTED)
        recorder.record(e.RunResumed(gap=60.0, done=(), interrupted=None, ended_by="storage: gone"))
        for envelope in told.take():
            chronicle.see(envelope)
        story = chronicle.since()
        assert (story["run"]["verdict"], story["run"]["duration"]) == (None, None)
        assert story["run"]["gaps"] == [[10.0, 70.0, "storage: gone"]]
        assert story["mount"]["spans"] == [
            [0.0, 0.0, "unknown"],
            [0.0, 0.0, "healthy"],
            [0.0, 10.0, "lost"],
            [10.0, None, "unknown"],
        ]
        assert [(i["start"], i["end"]) for i in story["incidents"]["list"]] == [(0.0, 70.0), (10.0, 70.0)]
        assert (story["now"]["mount"], story["now"]["server"]) == ("unknown", "unknown")
        clock.move(5)
        recorder.record(e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=5.0, sections=()))
        for envelope in told.take():
            chronicle.see(envelope)
    assert (chronicle.since()["run"]["duration"], chronicle.since()["run"]["away"]) == (75.0, 60.0)


# --- for real ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_real_run_that_is_killed_and_goes_on_is_shown_and_reported_as_a_whole(tmp_path):
    with place(tmp_path / "p-", owned=True, web={"enabled": True, "port": 0}) as here:
        before = here.killed(at("section.phase.started", phase="analyze", section="Music"))
        with here.run() as run:
            run.wait_until("section.started")
            shown = story_on(page_of(run))
            numbers = fetched(f"{page_of(run)}metrics")
            assert run.process.wait(90) == 0, run.stdout.decode()[-3000:] + run.stderr
        (record,) = here.journal()
        report = here.state / "runs" / record.id / "report.html"
        made = [sys.executable, "-m", "plexsuper", "report", record.id, "--config", "plexsuper.toml"]
        again = subprocess.run(made, cwd=here.root, capture_output=True, check=True, timeout=60).stdout
        assert report.read_bytes() == again

        killed_at = max(line["seq"] for line in before if line["level"] != "debug")
        seqs = [event["seq"] for event in shown["events"]]
        assert seqs == sorted(set(seqs))
        assert min(seqs) < killed_at < max(seqs)
        ((start, end, why),) = shown["run"]["gaps"]
        assert (why, 0 < start < end) == ("it was killed", True)
        movies = next(section for section in shown["sections"] if section["title"] == "Movies")
        assert (movies["outcome"], movies["end"] <= start) == ("done", True)
        assert 'plexsuper_sections{outcome="done"} 1.0' in numbers

        story = json.loads(
            subprocess.run([*made, "--json"], cwd=here.root, capture_output=True, check=True).stdout
        )
        rows = {(row["section"], row["phase"]) for row in story["time"]}
        assert {("Movies", "scan"), ("Music", "scan"), ("Movies", "analyze"), ("Music", "analyze")} <= rows
        assert story["duration"] == pytest.approx(story["story"]["at"])
        assert list(read(here.state, record.id))[-1].find("run.finished") > 0


def page_of(run: RealRun) -> str:
    """Return the address that the run has told."""
    end = time.monotonic() + 20
    while (found := re.search(r"The page of this run: (\S+)", run.stderr)) is None:
        assert time.monotonic() < end, run.stderr
        time.sleep(0.02)
    return found[1]


def story_on(url: str) -> dict[str, Any]:
    """Return the story that the page shows once it tells of the interruption and of a section since."""
    end = time.monotonic() + 20
    while True:
        story: dict[str, Any] = json.loads(fetched(f"{url}picture.json"))
        started = [event for event in story["events"] if event["type"] == "section.started"]
        if story.get("run", {}).get("gaps") and len(started) > 2:
            return story
        assert time.monotonic() < end, story.get("run")
        time.sleep(0.05)
