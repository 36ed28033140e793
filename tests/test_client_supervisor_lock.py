"""One supervisor for one Plex and one state directory, proved with real processes that are killed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexsuper.clients.server.ledger import Ledger
from plexsuper.clients.server.supervisor_lock import LOCK, only_supervisor, only_worker, subjects
from plexsuper.errors import AlreadySupervised, ExitCode, StateError

HOLDER = """
import os, signal, sys
from pathlib import Path
from plexsuper.clients.server.supervisor_lock import only_supervisor
with only_supervisor(Path(sys.argv[1]), "first-run", sys.argv[2:]):
    print("held", flush=True)
    signal.pause()
"""


@contextmanager
def held(state_dir: Path, *supervised: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that is the supervisor."""
    argv = [sys.executable, "-c", HOLDER, str(state_dir), *supervised]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def plex(tmp_path: Path) -> str:
    """A name of something to supervise that no other test has."""
    return f"Plex's directory {tmp_path}/plex"


def test_the_second_one_is_told_who_the_first_one_is_and_what_to_do(tmp_path, plex):
    with (
        held(tmp_path / "state", plex) as first,
        pytest.raises(AlreadySupervised) as refusal,
        only_supervisor(tmp_path / "state", "second-run", [plex]),
    ):
        pass
    assert re.fullmatch(
        rf"the state directory {tmp_path}/state is supervised already, by process {first.pid}, run first-run since "
        rf"2\d{{3}}-\d\d-\d\dT\d\d:\d\d:\d\dZ: nothing was started\. Wait for that run, or end it "
        rf"\(kill -INT {first.pid} ends it cleanly\) and start again",
        str(refusal.value),
    )
    assert refusal.value.exit_code is ExitCode.USAGE


def test_two_state_directories_do_not_help_to_supervise_the_same_plex_twice(tmp_path, plex):
    with (
        held(tmp_path / "one", plex) as first,
        pytest.raises(AlreadySupervised, match=rf"{tmp_path}/plex is .* process {first.pid}, run first-run"),
        only_supervisor(tmp_path / "two", "second-run", [plex]),
    ):
        pass


def test_the_kernel_gives_both_claims_up_when_the_first_one_is_killed(tmp_path, plex):
    with held(tmp_path / "state", plex) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        with only_supervisor(tmp_path / "state", "second-run", [plex]):
            assert (tmp_path / "state" / LOCK).read_text().count("second-run") == 1


def test_a_refused_one_takes_nothing_from_the_first_and_leaves_nothing_taken(tmp_path, plex):
    with (
        held(tmp_path / "one", plex),
        pytest.raises(AlreadySupervised),
        only_supervisor(tmp_path / "two", "second-run", [plex]),
    ):
        pass
    with only_supervisor(tmp_path / "two", "third-run", [plex]):
        pass


def test_different_things_are_supervised_side_by_side_and_one_after_the_other(tmp_path, plex):
    with held(tmp_path / "one", plex):
        for _ in range(2):
            with only_supervisor(tmp_path / "two", "run", [f"{plex} two", f"{plex} three"]):
                pass


def test_what_a_killed_supervisor_was_just_writing_is_removed_by_the_next_one_alone(
    tmp_path, plex, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        Ledger(tmp_path, "machine").save({"autoEmptyTrash": "1"})
    assert list(tmp_path.iterdir()) == [tmp_path / "preferences-machine.tmp"]
    (tmp_path / "frozen-container.tmp").touch()
    with (
        held(tmp_path / "elsewhere", plex),
        pytest.raises(AlreadySupervised),
        only_supervisor(tmp_path, "2", [plex]),
    ):
        pass
    assert len(list(tmp_path.glob("*.tmp"))) == 2
    with only_supervisor(tmp_path, "second-run", [plex]):
        assert list(tmp_path.glob("*.tmp")) == []


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StateError, match=r"file/state/supervisor\.lock cannot be opened \(Not a directory\)"),
        only_supervisor(tmp_path / "file" / "state", "run", []),
    ):
        pass


def test_children_that_outlive_the_supervisor_do_not_hold_its_claims(tmp_path, plex):
    """As a mount and a server that a killed run leaves behind."""
    code = HOLDER.replace("    print", "    os.spawnv(os.P_NOWAIT, '/bin/sleep', ['sleep', '60'])\n    print")
    argv = [sys.executable, "-c", code, str(tmp_path), plex]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        while Path(f"/proc/{child}/comm").read_text() != "sleep\n":  # until then it is a copy of its parent
            assert process.poll() is None
        process.kill()
        process.stdout.close()  # which the child has, too
        process.wait()
    try:
        with only_supervisor(tmp_path, "second-run", [plex]):
            assert Path(f"/proc/{child}").exists()
    finally:
        subprocess.run(["kill", "-9", str(child)], check=True)


def test_two_servers_cannot_have_their_storage_mounted_at_the_same_place(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    one = subjects(url="http://one:32400", config_dir=None, mount=tmp_path / "media")
    other = subjects(url="http://other:32400", config_dir=None, mount=tmp_path / "link" / "media")
    assert set(one) & set(other) == {f"the mount point {tmp_path}/media"}
    with (
        held(tmp_path / "state one", *one),
        pytest.raises(AlreadySupervised, match=f"^the mount point {tmp_path}/media is supervised already"),
        only_supervisor(tmp_path / "state two", "second-run", other),
    ):
        pass


def test_spellings_of_the_same_plex_are_the_same_plex(tmp_path):
    (tmp_path / "plex").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "plex")
    one = subjects(url="http://localhost:32400", config_dir=tmp_path / "plex", container="plex")
    other = subjects(
        url="http://127.0.0.1:32400/", config_dir=tmp_path / "link", container="plex", engine=None
    )
    assert (
        one
        == other
        == (
            "Plex at 127.0.0.1:32400",
            f"Plex's directory {tmp_path}/plex",
            "the container plex",
        )
    )
    assert subjects(url="https://plex.example", config_dir=None) == ("Plex at plex.example:443",)
    far = subjects(url="http://h", config_dir=None, container="plex", engine="tcp://far:2375")
    assert far == ("Plex at h:80", "the container plex of tcp://far:2375")


def test_a_deed_on_the_databases_and_a_run_keep_each_other_off(tmp_path):
    databases = tmp_path / "Databases"
    names = subjects(url=f"http://{tmp_path.name}", config_dir=None, databases=databases)
    with (
        held(tmp_path / "state", *names) as run,
        pytest.raises(AlreadySupervised) as refusal,
        only_worker(databases),
    ):
        pass
    said = f"the library in {databases} is supervised already, by process {run.pid}, run first-run since "
    assert said in str(refusal.value)
    with (
        only_worker(databases),
        pytest.raises(
            AlreadySupervised, match=r"in use by another plexsuper, process \d+: .* Wait for it, or end it"
        ),
        only_supervisor(tmp_path / "other", "second-run", names),
    ):
        pass
    with only_supervisor(tmp_path / "other", "second-run", names):
        pass


def test_the_databases_have_one_name_by_whatever_path_they_are_reached(tmp_path):
    (tmp_path / "Databases").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "Databases")
    with (
        only_worker(tmp_path / "link"),
        pytest.raises(AlreadySupervised),
        only_worker(tmp_path / "Databases"),
    ):
        pass
