"""A library that is replaced while a run is interrupted: what it does not show is done again, and nothing else is.

Real processes on both sides, as in `tests/test_survival.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from plexsuper.clients.server.supervisor_lock import only_worker
from tests.kill_outcome import library
from tests.kill_run import Kill, Place, at, place, reconfigured
from tests.real_run import RealRun, processes_of
from tests.real_simulator import TOKEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OLDER = "the library database is in a state from before the end of this section"
IN_MUSIC = Kill(
    name="Movies is done",
    wanted=lambda line: line["type"] == "section.started" and line["section"]["title"] == "Music",
)


def db(here: Place, verb: str, *words: str | Path, code: int = 0) -> str:
    """Return what is said by a command that ends with *code*."""
    argv = [sys.executable, "-m", "plexsuper", "db", verb, str(here.root / "data"), *map(str, words)]
    done = subprocess.run(argv, env=here.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return " ".join(done.stderr.split())


def end_plex(here: Place) -> None:
    """Let the machine go down, for Plex at least: what it has not folded in stays in its log."""
    for pid, argv in processes_of(here.root).items():
        if "Plex Media" in argv or "plexsuper.simulator" in argv:
            os.kill(pid, signal.SIGKILL)
    wait(lambda: not processes_of(here.root))


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def reopened(run: RealRun) -> list[tuple[str, str]]:
    return [(line["section"]["title"], line["data"]["reason"]) for line in run.of("section.reopened")]


def scanned(run: RealRun) -> list[str]:
    return [line["section"]["title"] for line in run.of("section.phase.started", phase="scan")]


def test_an_older_copy_that_is_put_back_while_the_run_is_interrupted_has_its_sections_done_again(
    tmp_path: Path,
) -> None:
    with place(tmp_path / "older-") as here:
        here.killed(at("section.started", section="Movies"))
        db(here, "snapshot", "--into", here.root / "older")
        here.killed(IN_MUSIC)
        assert here.done() == {"Movies"}
        end_plex(here)
        db(here, "restore", here.root / "older")
        again = here.completed()
        assert reopened(again) == [("Movies", OLDER)]
        assert scanned(again) == ["Movies", "Music"]
        titles = [row for row in library(here) if "Movies" in str(row)]
        assert len(titles) == 3  # the films are in it again
        end = again.lines[-1]["data"]
        assert [report["section"]["title"] for report in end["sections"]] == ["Movies", "Music"]


def test_a_library_that_is_gone_when_the_run_goes_on_has_its_sections_done_again(tmp_path: Path) -> None:
    with place(tmp_path / "gone-") as here:
        here.killed(IN_MUSIC)
        end_plex(here)
        shutil.rmtree(here.paths.databases)
        again = here.completed()
        assert reopened(again) == [("Movies", "there is no library database any more")]
        assert scanned(again) == ["Movies", "Music"]


def test_a_library_in_which_plex_and_its_users_have_worked_meanwhile_is_the_same_one(tmp_path: Path) -> None:
    """A film is deleted, another one added, and Plex scans by itself before the run goes on."""
    with place(tmp_path / "same-") as here:
        here.killed(IN_MUSIC)
        new_film(here)
        next((here.media / "Movies").glob("Dark Night*/*.mp4")).unlink()
        trashed = len(here.truth("item.trashed"))
        refresh(here)
        wait(lambda: len(here.truth("item.trashed")) > trashed)
        again = here.completed()
        assert (reopened(again), scanned(again)) == ([], ["Music"])


def new_film(here: Place) -> None:
    film = here.media / "Movies" / "A new one (2001)" / "A new one (2001).mp4"
    film.parent.mkdir()
    shutil.copyfile(next((here.media / "Movies").glob("*/*.mp4")), film)


def refresh(here: Place) -> None:
    url = f"{here.tables['plex']['url']}/library/sections/1/refresh?force=0&X-Plex-Token={TOKEN}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200


def test_an_archive_is_put_in_place_once_more_when_its_library_is_gone(tmp_path: Path) -> None:
    with place(tmp_path / "archive-") as here:
        here.completed()
        old = here.archive.rename(here.root / "old.tar.zst")
        shutil.rmtree(here.paths.databases)
        new_film(here)
        with reconfigured(here, library={"archive": str(old)}) as injecting:
            injecting.killed(IN_MUSIC)
            end_plex(injecting)
            shutil.rmtree(here.paths.databases)
            again = injecting.completed()
        assert len(again.of("library.injected")) == 1
        assert reopened(again) == [("Movies", OLDER)]


def test_a_live_run_and_a_deed_on_its_library_keep_each_other_off(tmp_path: Path) -> None:
    with place(tmp_path / "live-") as here:
        with only_worker(here.paths.databases), here.run() as run:
            assert run.end() == 2
            assert "is in use by another plexsuper" in run.stderr
        with here.run() as run:
            run.wait_until("section.started")
            said = db(here, "restore", here.root / "anything", code=2)
            assert f"is supervised already, by process {run.process.pid}" in said
            run.send(signal.SIGINT)
            assert run.end() == 130
