"""A real run waits for an analysis that a real server begins later than it is waited for at first, also when it is killed meanwhile."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import FAST, running
from tests.real_simulator import QUICK, Simulator, simulator
from tests.test_end_to_end import SCALE, attached

pytestmark = pytest.mark.slow

PATIENCE = 4.0
TIMING = {**FAST, "unseen_patience": PATIENCE}
KNOBS = (*QUICK, "analyze_new=false", f"analysis_queue={1.5 * PATIENCE * float(SCALE[1])}")


def films(place: Path) -> None:
    make_media_tree(place / "media", movies=12, episodes=0, tracks=0, photos=0, seed=3)


def times_analysed(server: Simulator) -> Counter[int]:
    return Counter(item for entry in server.truth("analysis.started") for item in entry["items"])


def test_a_real_analysis_that_begins_late_is_followed_to_its_end(tmp_path):
    films(tmp_path)
    with simulator(tmp_path, *SCALE, knobs=KNOBS) as server:
        with running(tmp_path, attached(server, timing=TIMING)) as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        analysed = times_analysed(server)
    (awaited,) = run.of("section.phase.awaited")
    assert awaited["data"]["after"] >= PATIENCE
    assert awaited["data"]["asked"] is False
    (report,) = (line["data"]["report"] for line in run.of("section.phase.finished")[1:])
    assert (report["phase"], report["outcome"], report["note"]) == ("analyze", "done", "")
    assert (len(analysed), set(analysed.values())) == (12, {1})
    (left,) = run.of("section.files.left")
    assert (left["data"]["left"], left["data"]["total"]) == (0, 12)


def test_a_run_that_is_killed_while_it_waits_for_a_late_analysis_goes_on_and_counts_it_as_done(tmp_path):
    films(tmp_path)
    with simulator(tmp_path, *SCALE, knobs=KNOBS) as server:
        settings = attached(server, timing=TIMING)
        with running(tmp_path, settings) as run:
            run.wait_until("section.phase.awaited")
            run.send(signal.SIGKILL)
            run.end()
        with running(tmp_path, settings) as again:
            assert again.end() == 0, again.stdout.decode()[-3000:] + again.stderr
        analysed = times_analysed(server)
    assert len(again.of("run.resumed")) == 1
    outcomes = {
        line["data"]["report"]["phase"]: line["data"]["report"]["outcome"]
        for line in again.of("section.phase.finished")
    }
    assert outcomes == {"scan": "done", "analyze": "done"}
    assert (len(analysed), set(analysed.values())) == (12, {1})
