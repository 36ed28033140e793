"""plexsuper is killed at every stage, at random moments and in the middle of its worst deeds, and goes on as if nothing was.

Real processes on both sides, eight times faster than life. `tests/kill_outcome.py` says what may not differ from an
undisturbed run; `bench/kill_matrix.py` does the same for hours.
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from plexsuper.database.archive.inject import verify_archive
from tests.kill_outcome import all_faults, library, names_in, preferences, settled, undisturbed
from tests.kill_run import KNOBS, Kill, Place, after_lines, at, leave_drafts, place, reconfigured
from tests.real_run import processes_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WAITS = (*KNOBS, "queue_seconds=24")
"""Three seconds pass between the request for a scan and its start."""

LINES = 120
"""A run tells about so many facts."""


def stage(name: str, after: float = 0.0) -> list[Kill]:
    return [at("stage.started", after, stage=name)]


def phase(name: str, section: str, after: float = 0.0) -> list[Kill]:
    return [at("section.phase.started", after, phase=name, section=section)]


def somewhere(seed: int) -> list[Kill]:
    rng = random.Random(seed)
    return [after_lines(rng.randint(2, LINES), rng.uniform(0.0, 0.2)) for _ in range(rng.choice((1, 1, 2)))]


OWN, FOREIGN = True, False
MATRIX: dict[str, dict[str, tuple[bool, list[Kill]]]] = {
    "before anything is changed": {
        "preflight": (OWN, stage("preflight")),
        "database": (OWN, stage("database")),
        "server": (OWN, stage("server")),
        "server, which starts": (OWN, [at("plex.started", 0.2)]),
    },
    "while Plex is made quiet": {
        "quiet": (OWN, stage("quiet")),
        "quiet, in the middle": (FOREIGN, stage("quiet", 0.05)),
        "catalogue, in the middle": (OWN, [at("section.created")]),
    },
    "in the sections": {
        "scan": (OWN, phase("scan", "Movies", 0.3)),
        "scan of a foreign Plex": (FOREIGN, phase("scan", "Movies", 0.2)),
        "twice": (OWN, [*phase("scan", "Movies"), *phase("scan", "Movies", 0.2)]),
        "analysis": (OWN, phase("analyze", "Movies")),
        "checkpoint": (OWN, stage("checkpoint", 0.4)),
        "sonic analysis": (OWN, phase("sonic", "Music")),
    },
    "at the end": {
        "statistics": (OWN, stage("statistics")),
        "restore": (OWN, stage("restore")),
        "restore of a foreign Plex": (FOREIGN, stage("restore", 0.05)),
        "stop, in the middle": (OWN, stage("stop", 0.2)),
        "export": (OWN, stage("export")),
        "export, in the middle": (OWN, stage("export", 0.5)),
    },
    "at random": {f"seed {seed}": (seed % 3 > 0, somewhere(seed)) for seed in range(1, 4)},
}


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], dict[str, Any]]:
    """The outcome of a run that nobody disturbs, on a Plex of its own or a foreign one."""
    root = tmp_path_factory.mktemp("fine")
    return cache(lambda owned: undisturbed(root / f"{owned}-", owned=owned))


@pytest.mark.lesson("L05")
@pytest.mark.parametrize("when", MATRIX)
def test_a_run_that_is_killed_and_started_again_ends_as_an_undisturbed_one(
    tmp_path: Path, fine: Callable[[bool], dict[str, Any]], when: str
) -> None:
    cases = MATRIX[when]
    assert all_faults(tmp_path, cases, {owned: fine(owned) for owned, _ in cases.values()}) == {}


def test_what_a_killed_run_has_written_of_its_archives_is_removed_by_the_next_one_before_it_writes_any(
    tmp_path: Path,
) -> None:
    with place(tmp_path / "drafts-", owned=True) as here:
        (kill,) = phase("scan", "Music")  # after the last checkpoint
        here.killed(kill)
        drafts = leave_drafts(here)
        with here.run("--dry-run") as look:
            assert look.end() == 0
        assert [draft.exists() for draft in drafts] == [True, True]
        here.killed(stage("server")[0])
        assert [draft.exists() for draft in drafts] == [False, False]


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("owned", [True, False])
def test_a_plex_that_was_left_frozen_goes_on_when_storage_is_proved_and_not_before(
    tmp_path: Path, fine: Callable[[bool], dict[str, Any]], owned: bool
) -> None:
    with place(tmp_path / "frozen-", owned=owned) as here:
        frozen = here.killed_frozen()
        assert "T" in states(here)
        assert frozen["data"]["processes"] >= 1
        removed = len(here.truth("item.trashed"))
        with here.run() as blind:
            assert blind.end() == 3  # preflight sees that the storage is not there
        assert len(here.truth("item.trashed")) == removed
        assert len(blind.of("plex.stopped")) == owned
        assert "T" not in states(here)
        here.away.rename(here.media)
        again = here.completed()
        told = [line["type"] for line in again.lines]
        assert ("run.resumed" in told, "plex.found.frozen" in told) == (True, False)
        assert settled(here) == fine(owned)


def test_a_plex_that_was_left_frozen_goes_on_when_storage_has_come_back_meanwhile(
    tmp_path: Path, fine: Callable[[bool], dict[str, Any]]
) -> None:
    with place(tmp_path / "back-", owned=False) as here:
        here.killed_frozen()
        here.away.rename(here.media)
        again = here.completed()
        told = [line["type"] for line in again.lines]
        assert told.index("plex.found.frozen") < told.index("mount.ready") < told.index("plex.thawed")
        assert told.index("plex.thawed") < told.index("plex.ready")
        assert settled(here) == fine(False)


def states(here: Place) -> str:
    """Return the states of the server's processes in one string."""
    pids = [pid for pid, argv in processes_of(here.root).items() if "Plex Media" in argv]
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]
    return "".join(stats)


@pytest.mark.lesson("L40")
def test_a_healing_that_is_killed_is_done_by_the_next_start(tmp_path: Path) -> None:
    with place(tmp_path / "healing-", owned=True, films=12, knobs=WAITS, run={"deep": True}) as here:
        here.completed()
        before = library(here)
        films = sorted((here.media / "Movies").glob("*/*.mp4"))[:5]
        away = here.root / "away"
        away.mkdir()
        with here.run() as run:
            run.wait_until("guard.recorded")
            for film in films:
                film.rename(away / film.name)
            trashed = len(here.truth("item.trashed"))
            wait(lambda: len(here.truth("item.trashed")) >= trashed + 5)
            for film in films:
                (away / film.name).rename(film)
            healing = run.wait_until("library.healing")
            run.send(signal.SIGKILL)
            run.end()
        assert healing["data"]["files"] == 5
        away.rmdir()
        again = here.completed()
        verified = again.of("library.verified")[-1]["data"]
        assert (verified["section"], verified["counts"]["lost"], verified["counts"]["unknown"]) == (
            None,
            0,
            0,
        )
        assert verified["counts"]["healed"] >= 5
        assert library(here) == before
        assert "autoEmptyTrash" not in preferences(here)  # the default again


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.lesson("L40")
def test_what_a_killed_run_has_lost_in_a_section_it_was_through_with_is_still_accounted_for(
    tmp_path: Path,
) -> None:
    """Files are really deleted in the first section; the second process only does the second one."""
    with place(tmp_path / "account-", owned=True, films=6, knobs=WAITS, run={"deep": True}) as here:
        here.completed()
        film = min((here.media / "Movies").glob("*/*.mp4"))
        with here.run() as run:
            run.wait_until("guard.recorded")
            film.unlink()
            run.wait_until("section.started", lambda line: line["data"]["section"]["title"] == "Music")
            run.send(signal.SIGKILL)
            run.end()
        again = here.completed()
        assert again.of("run.resumed")[0]["data"]["done"] != []
        (whole,) = [line["data"] for line in again.of("library.verified") if line["data"]["section"] is None]
        assert (whole["counts"]["confirmed"], whole["counts"]["lost"]) == (1, 0)
        assert "autoEmptyTrash" not in preferences(here)


@pytest.mark.lesson("L40")
@pytest.mark.parametrize(
    ("flags", "fate"),
    [
        pytest.param(("--fresh",), "healed", id="a new run"),
        pytest.param(("--section", "Music"), "restored", id="the same run, and only another section"),
    ],
)
def test_whoever_comes_after_a_killed_run_brings_back_what_its_scan_has_put_into_the_trash(
    tmp_path: Path, flags: tuple[str, ...], fate: str
) -> None:
    """The folders come back as they were before, so that an ordinary scan passes over them."""
    knobs = (*WAITS, "folder_missing=remove")
    with place(tmp_path / "trash-", owned=True, films=6, knobs=knobs) as here:
        here.completed()
        before = library(here)
        films = sorted((here.media / "Movies").iterdir())[:3]
        away = here.root / "away"
        away.mkdir()
        with here.run("--deep") as run:
            run.wait_until("guard.recorded")
            for film in films:
                film.rename(away / film.name)
            wait(lambda: len(here.truth("item.trashed")) >= 3)
            for film in films:
                (away / film.name).rename(film)
            run.send(signal.SIGKILL)
            run.end()
        assert library(here) != before
        away.rmdir()
        with here.run(*flags) as again:
            assert again.end() == 0, again.stdout.decode()[-3000:] + again.stderr
        assert [line["data"]["counts"][fate] for line in again.of("library.verified")][-1] == 3
        assert library(here) == before
        if (
            fate == "restored"
        ):  # what the copy gave back is proved by the next run: until then nothing is emptied
            assert (preferences(here)["autoEmptyTrash"], len(copies_in(here))) == ("0", 1)
            here.completed()
        assert preferences(here).get("autoEmptyTrash", "1") == "1"
        assert copies_in(here) == []


def copies_in(here: Place) -> list[str]:
    return [name for name in names_in(here) if "Databases.plexsuper-" in name]


@pytest.mark.lesson("F07", "L48")
def test_killed_while_a_library_is_put_in_place_and_while_it_is_repaired(tmp_path: Path) -> None:
    with place(tmp_path / "library-", owned=True) as here:
        here.completed()
        before = library(here)
        old = here.root / "old.tar.zst"
        here.archive.rename(old)
        for file in here.paths.databases.iterdir():
            file.unlink()
        with reconfigured(here, library={"archive": str(old)}) as injecting:
            killed_while_a_tool_runs(injecting, "inject")
            injecting.killed(at("library.injected"))
            injecting.killed(at("sections.chosen"))
            old.unlink()  # the journal has it by now: it is not needed any more
            assert "library.archive  is in place already" in checked(injecting)
            injecting.completed()
            assert library(here) == before
        damage(here.paths.library_db)
        with reconfigured(injecting, library={"archive": ""}) as repairing:
            killed_while_a_tool_runs(repairing, "repair")
            run = repairing.completed()
        assert len(run.of("library.repaired")) == 1
        assert library(here) == before
        statistics = verify_archive(here.archive).statistics
        assert statistics is not None
        assert statistics.total.live.movies == 3
        half = (".stage-", ".partial", "Databases.plexsuper-")
        assert [name for name in names_in(here) if any(mark in name for mark in half)] == []
        assert settled(here)["processes"] == {}


def checked(here: Place) -> str:
    """Return what `plexsuper check` says about the run that would go on; it must be content."""
    argv = ["check" if word == "run" else word for word in here.argv]
    done = subprocess.run(argv, env=here.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def killed_while_a_tool_runs(here: Place, verb: str) -> None:
    """Kill a run while `plexsuper db` is at work for it, which must end with it."""
    with here.run() as run:
        wait(lambda: bool(tools(here, verb)))
        run.send(signal.SIGKILL)
        run.end()
        wait(lambda: not tools(here, verb))


def tools(here: Place, verb: str) -> list[int]:
    return [pid for pid, argv in processes_of(here.root).items() if f" db {verb} " in argv]


def damage(file: Path) -> None:
    """Overwrite a page that belongs to an index: everything in it can be made anew."""
    with sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True) as conn:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_file'"
        ((root,),) = conn.execute(sql).fetchall()
        ((size,),) = conn.execute("PRAGMA page_size").fetchall()
    conn.close()
    with file.open("r+b") as out:
        out.seek((root - 1) * size)
        out.write(bytes(size))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.lesson("F04")
def test_a_run_whose_library_found_no_room_is_not_repeated_but_only_written_out(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    archive = disk / "home.tar.zst"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        with place(tmp_path / "export-", owned=True, library={"export": str(archive)}) as here:
            with here.run() as run:
                assert run.end() == 5
            (finished,) = run.of("run.finished")
            assert "space" in finished["data"]["detail"]
            assert len(finished["data"]["sections"]) == 2
            assert list(disk.iterdir()) == []
            assert "autoEmptyTrash" not in preferences(here)  # the default again
            scans = len(here.truth("scan.asked"))
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            again = here.completed()
            assert len(again.of("run.resumed")) == 1
            assert len(here.truth("scan.asked")) == scans
            assert verify_archive(archive).statistics is not None
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
