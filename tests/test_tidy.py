"""`plexsuper tidy` after a run that was killed: what it left is given back, without a run, and that run may still go on.

Real processes on both sides, eight times faster than life; Plex is the simulator.
"""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from plexsuper.actions.quiet import QUIET, VITAL
from plexsuper.clients.docker.processes import state_of
from tests.kill_outcome import names_in, preferences
from tests.kill_run import KNOBS, PATIENCE, Kill, Place, at, leave_drafts, place
from tests.real_run import RealRun, processes_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KEPT = {"runs", "supervisor.lock", "plex.log"}
"""What stays in the state directory: the journals, and what a Plex of ours has said."""

NOT_BEGUN = "--section 2 "
"""In the arguments of a scanner: of the section that comes after the one in which the run is killed."""

SCAN_ONLY = {"quick": True}
IN_THE_SCAN = at("section.phase.started", 0.3, phase="scan", section="Movies")


@contextmanager
def tidying(here: Place, *flags: str) -> Iterator[RealRun]:
    run = here.argv
    here.argv = ["tidy" if word == "run" else word for word in run]
    try:
        with here.run(*flags) as tidy:
            yield tidy
    finally:
        here.argv = run


def tidied(here: Place, *flags: str, code: int = 0) -> RealRun:
    """Tidy up to the end, which must have this exit *code*."""
    with tidying(here, *flags) as run:
        assert run.process.wait(PATIENCE) == code, run.stdout.decode()[-3000:] + run.stderr
    return run


def told(run: RealRun, type_: str) -> dict[str, Any]:
    (line,) = run.of(type_)
    data: dict[str, Any] = line["data"]
    return data


def copies(here: Place) -> list[str]:
    """Return what there is of copies and drafts."""
    marks = ("Databases.plexsuper-", ".stage-", ".partial")
    return [name for name in names_in(here) if any(mark in name for mark in marks)]


def silenced(here: Place) -> set[str]:
    """Return the settings that are not as they were; Plex's file has only what is not the default."""
    return set(preferences(here)) & set(QUIET)


def ours(here: Place) -> dict[int, str]:
    """Return the processes of the place; helpers may take a moment to end.

    A Plex of somebody else is not among them, nor is what that begins by itself: to scan a section that was made for it.
    """
    serving = set() if here.server is None else {here.server.pid}
    end = time.monotonic() + 3.0
    while True:
        running = processes_of(here.root).items()
        found = {pid: argv for pid, argv in running if pid not in serving and NOT_BEGUN not in argv}
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def assert_nothing_is_left(here: Place) -> None:
    """Nothing of plexsuper is in Plex, on the machine, or beside the library."""
    assert silenced(here) == set()
    assert ours(here) == {}
    assert here.server is None or "T" not in state_of(here.server.pid)
    assert copies(here) == []
    assert {path.name for path in here.state.iterdir()} <= KEPT


ENDLESS = (*KNOBS, "item_seconds=800")

KILLS: dict[str, tuple[bool, tuple[str, ...], Kill]] = {
    "before quiet": (True, KNOBS, at("stage.started", stage="token")),
    "in the middle of quiet": (False, KNOBS, at("stage.started", 0.05, stage="quiet")),
    "in the scan of a foreign Plex": (False, ENDLESS, IN_THE_SCAN),
    "after finish": (True, KNOBS, at("stage.started", stage="export")),
}


@pytest.mark.lesson("L05")
def test_what_a_killed_run_has_left_is_given_back_without_a_run(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(KILLS)) as pool:
        played = {when: pool.submit(killed_and_tidied, tmp_path / when, *KILLS[when]) for when in KILLS}
    assert {when: one.exception() for when, one in played.items()} == dict.fromkeys(KILLS)


def cut_off(here: Place) -> None:
    """Leave what is left of copies, of archives and of deeds on the databases that are killed in the middle."""
    leave_drafts(here)
    databases, (record,) = here.paths.databases, here.journal()
    draft = databases.with_name(f".{databases.name}.plexsuper-{record.id}.partial")
    for left in (draft, databases.with_name(f"{databases.name}.snapshots") / ".stage-1"):
        left.mkdir(parents=True)
        (left / "half").touch()


def killed_and_tidied(root: Path, owned: bool, knobs: tuple[str, ...], kill: Kill) -> None:
    with place(root, owned=owned, knobs=knobs, run=SCAN_ONLY) as here:
        here.killed(kill)
        cut_off(here)
        asked = len(here.truth("scan.asked"))
        run = tidied(here)
        assert_nothing_is_left(here)
        assert told(run, "run.finished")["verdict"] == "tidied"
        assert len(here.truth("scan.asked")) == asked
        assert not here.archive.exists()
        again = tidied(here)
        assert told(again, "run.finished")["detail"] == "nothing was left over"
        assert [line["data"]["stage"] for line in again.of("stage.started")] == ["preflight"]


@pytest.mark.lesson("L05")
def test_a_run_that_was_tidied_up_after_may_go_on_where_it_was(tmp_path: Path) -> None:
    with place(tmp_path / "here") as here:
        here.killed(at("section.phase.started", 0.1, phase="scan", section="Music"))
        done, scans = here.done(), len(here.truth("scan.asked"))
        assert done == {"Movies"}
        tidied(here)
        assert_nothing_is_left(here)
        (record,) = here.journal()
        assert (record.state, record.verdict) == ("ended", "tidied")
        assert (record.sections_done, record.sections_total) == (1, 2)
        run = here.completed()
        assert told(run, "run.resumed")["interrupted"]["title"] == "Music"
        again = [entry["section"] for entry in here.truth("scan.asked")[scans:]]
        assert again == [told(run, "run.resumed")["interrupted"]["id"]]
        assert len(here.journal()) == 1


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("owned", [True, False])
def test_a_plex_that_was_left_frozen_goes_on_and_gets_all_back_but_what_its_storage_is_needed_for(
    tmp_path: Path, owned: bool
) -> None:
    with place(tmp_path / "here", owned=owned, run=SCAN_ONLY) as here:
        here.killed_frozen()
        quiet, removed = silenced(here), len(here.truth("item.trashed"))
        dry = tidied(here, "--dry-run")
        assert told(dry, "leftovers.found")["frozen"] > 0
        assert "let Plex go on" in told(dry, "run.planned")["steps"][0]
        assert silenced(here) == quiet
        blind = tidied(here, code=4)
        assert silenced(here) == {VITAL}
        assert VITAL in told(blind, "run.finished")["detail"]
        assert "give `plexsuper tidy` again" in told(blind, "run.finished")["detail"]
        assert here.server is None or "T" not in state_of(here.server.pid)
        assert ours(here) == {}
        assert len(here.truth("item.trashed")) == removed
        here.away.rename(here.media)
        tidied(here)
        assert_nothing_is_left(here)


def lose(library: Path) -> Path:
    """Put a film into the trash, as a scan that does not find its file does; return the file."""
    film = """
        SELECT p.id, m.id, p.file FROM media_parts AS p JOIN media_items AS m ON m.id = p.media_item_id
        WHERE p.file LIKE '%/Movies/%' ORDER BY p.id
    """
    with closing(sqlite3.connect(library, timeout=PATIENCE)) as conn, conn:
        part, version, file = conn.execute(film).fetchone()
        for table, row in (("media_parts", part), ("media_items", version)):
            conn.execute(f"UPDATE {table} SET deleted_at = ? WHERE id = ?", (int(time.time()), row))
    return Path(file)


@contextmanager
def killed_in_a_second_run(root: Path, *, owned: bool) -> Iterator[tuple[Place, Path]]:
    """Give a place in which a run over a library that was whole was killed, and a film that is in the trash since."""
    with place(root, owned=owned, run=SCAN_ONLY) as here:
        here.completed()
        here.killed(IN_THE_SCAN)
        yield here, lose(here.paths.library_db)


@pytest.mark.lesson("L40")
def test_what_plex_has_marked_wrongly_is_taken_from_the_copy_and_then_all_is_given_back(
    tmp_path: Path,
) -> None:
    with killed_in_a_second_run(tmp_path / "here", owned=True) as (here, _):
        scans = len(here.truth("scan.asked"))
        run = tidied(here)
        assert told(run, "library.revived")["untrashed"] == 1
        assert [line["data"]["withheld"] for line in run.of("prefs.restored")] == [[VITAL], []]
        assert len(here.truth("scan.asked")) == scans
        assert_nothing_is_left(here)


@pytest.mark.lesson("L40")
def test_what_plex_has_marked_wrongly_and_nobody_can_bring_back_keeps_its_trash_from_being_emptied(
    tmp_path: Path,
) -> None:
    with killed_in_a_second_run(tmp_path / "here", owned=False) as (here, film):
        run = tidied(here, code=8)
        assert silenced(here) == {VITAL}
        assert len(copies(here)) == 1
        assert "until `plexsuper run` has scanned" in told(run, "run.finished")["detail"]
        assert f"{VITAL} stays off" in told(run, "run.finished")["detail"]
        film.unlink()
        run = tidied(here)  # what is really gone from storage keeps nothing back
        (total,) = [line["data"] for line in run.of("library.verified") if line["section"] is None]
        assert total["counts"]["confirmed"] == 1
        assert silenced(here) == set()


def test_a_plex_that_was_lost_with_the_machine_is_started_to_get_its_settings_back_and_stopped(
    tmp_path: Path,
) -> None:
    with place(tmp_path / "here", run=SCAN_ONLY) as here:
        here.killed(IN_THE_SCAN)
        for pid in ours(here):
            os.kill(pid, signal.SIGKILL)
        assert ours(here) == {}
        assert silenced(here)
        run = tidied(here)
        assert len(run.of("plex.started")) == len(run.of("plex.stopped")) == 1
        assert_nothing_is_left(here)


def test_a_run_that_lives_is_not_tidied_up_after(tmp_path: Path) -> None:
    with place(tmp_path / "here", run=SCAN_ONLY) as here, here.run() as run:
        run.wait_until("section.phase.started")
        refused = tidied(here, code=2)
        assert "is supervised already" in refused.stderr
        assert refused.lines == []
        assert run.end() == 0
