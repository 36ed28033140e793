"""The guard in runs of real processes on a plain directory: what scans do not heal comes out of the copy."""

import time
from pathlib import Path
from typing import Any

import pytest

from plexsuper.paths import PlexPaths
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.truth import load
from tests.real_run import RealRun, running
from tests.real_simulator import PATIENCE
from tests.test_library_run import ask, db, library, tables

pytestmark = pytest.mark.slow

HIDDEN = 6


MUSIC = "SELECT min(id) FROM library_sections WHERE section_type = 8"


def tracks(place: Path) -> list[Path]:
    sql = f"SELECT p.file FROM media_parts p JOIN media_items m ON m.id = p.media_item_id WHERE m.library_section_id = ({MUSIC}) ORDER BY p.id"
    return [Path(name) for name in ask(PlexPaths.below(place / "data").library_db, sql)]


def section_of_music(place: Path) -> str:
    return ask(PlexPaths.below(place / "data").library_db, MUSIC)[0]


def trashed(place: Path) -> list[str]:
    truth = Layout(place / "data").truth
    entries = load(truth) if truth.exists() else []
    return [entry["file"] for entry in entries if entry["what"] == "item.trashed"]


def wait_for_trash(run: RealRun, place: Path, wanted: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(trashed(place)) < wanted:
        assert time.monotonic() < end, f"only {len(trashed(place))} trashed"
        assert run.process.poll() is None, run.stderr
        time.sleep(0.02)


def settings(place: Path, *knobs: str) -> dict[str, dict[str, Any]]:
    wanted = tables(place, check="quick")
    wanted["plex"]["command"] += [word for knob in knobs for word in ("--knob", knob)]
    wanted["guard"] = {"budget": 1000}
    return wanted


@pytest.mark.lesson("L40")
def test_entries_that_a_scan_does_not_take_back_are_restored_from_the_copy(tmp_path: Path) -> None:
    library(tmp_path)
    before = db("stats", PlexPaths.below(tmp_path / "data").databases)
    hidden = tracks(tmp_path)[:HIDDEN]
    knobs = (
        "file_returns=stays",
        "folder_missing=remove",
        "removal_seconds=1",
        "scan_seconds=20",
        "metadata_seconds=0.05",
    )
    with running(
        tmp_path, settings(tmp_path, *knobs), "--quick", "--section", section_of_music(tmp_path)
    ) as run:
        run.wait_until("guard.recorded")
        for file in hidden:
            file.rename(f"{file}.hidden")
        wait_for_trash(run, tmp_path, HIDDEN)
        for file in hidden:
            Path(f"{file}.hidden").rename(file)
        assert run.end() == 0, run.stdout.decode()[-5000:] + run.stderr
    assert len(run.of("snapshot.taken")) == 1
    assert run.of("library.healing")[0]["data"]["files"] == HIDDEN
    per_section = [line["data"]["counts"] for line in run.of("library.verified") if line["data"]["section"]]
    assert (per_section[0]["lost"], per_section[-1]["restored"]) == (HIDDEN, HIDDEN)
    (revived,) = run.of("library.revived")
    assert (revived["data"]["untrashed"], revived["data"]["lost"]) == (HIDDEN, 0)
    assert run.of("prefs.restored")[0]["data"]["withheld"] == ["autoEmptyTrash"]
    after = db("stats", PlexPaths.below(tmp_path / "data").databases)
    assert after["total"] == before["total"]
