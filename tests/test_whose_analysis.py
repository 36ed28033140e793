"""A real run sees an analysis by its processes alone, and finds in the real library whose they are."""

import pytest

from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import FAST, running
from tests.real_simulator import QUICK, simulator
from tests.test_end_to_end import SCALE, attached

pytestmark = pytest.mark.slow

KNOBS = (
    *QUICK,
    "analyze_new=false",
    "analysis_activity=",
    "photos_marked=false",
    "analysis_batch=2",
    f"analysis_seconds={float(SCALE[1])}",
)
"""An analysis of which neither activities nor rows tell, two items and two real seconds a process."""


def test_an_analysis_that_only_its_processes_show_counts_for_the_section_of_their_items(tmp_path):
    make_media_tree(tmp_path / "media", movies=0, episodes=0, tracks=0, photos=6, seed=3)
    with simulator(tmp_path, *SCALE, knobs=KNOBS) as server:
        with running(tmp_path, attached(server, timing=FAST)) as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        analysed = server.truth("analysis.started")
    (section,) = {entry["section"] for entry in analysed}
    told = [scanner for line in run.of("scanners.changed") for scanner in line["data"]["running"]]
    analysing = [scanner for scanner in told if scanner["kind"] == "analyze"]
    assert {scanner["section"] for scanner in analysing} == {section}
    assert {item for scanner in analysing for item in scanner["items"]} == {
        item for entry in analysed for item in entry["items"]
    }
    report = run.of("section.phase.finished")[-1]["data"]["report"]
    assert (report["phase"], report["outcome"]) == ("analyze", "done")
