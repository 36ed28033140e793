"""What we have frozen is thawed by whoever comes next, and nobody else: real processes, and supervisors that are killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plexsuper.clients.left_frozen import look_at_frozen
from plexsuper.clients.processes.lifetime import Lifetime
from plexsuper.clients.server.frozen import NAME, FrozenRecord
from plexsuper.clients.server.local import LocalRuntime
from tests.test_client_local import foreign, place, state  # noqa: F401 - a fixture is used by its name

FREEZER = """
import os, signal, sys
from pathlib import Path
from plexsuper.clients.server.local import LocalRuntime
here = Path(sys.argv[1])
runtime = LocalRuntime(config_dir=here / "support" / "Plex Media Server", frozen=here / "state" / "frozen.json")
print(*runtime.freeze(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def runtime_at(place: Path) -> LocalRuntime:  # noqa: F811 - the fixture's value
    return LocalRuntime(
        config_dir=place / "support" / "Plex Media Server",
        frozen=place / "state" / NAME,
    )


def served(place: Path):  # noqa: F811 - the fixture's value
    return foreign(place, PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR=str(place / "support"))


def freeze_and_die(place: Path) -> list[int]:  # noqa: F811 - the fixture's value
    """Freeze in a process of its own, which is killed before it can thaw; return what it froze."""
    ran = subprocess.run(
        [sys.executable, "-c", FREEZER, str(place)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    return [int(pid) for pid in ran.stdout.split()]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = 10 / 0.005
    while not holds():
        deadline -= 1
        assert deadline > 0
        signal.sigtimedwait([], 0.005)


def test_the_next_supervisor_takes_over_the_server_that_a_killed_one_had_frozen_and_ends_its_scanners(place):  # noqa: F811 - the fixture
    with served(place) as server:
        frozen = freeze_and_die(place)
        assert server in frozen
        assert len(frozen) == 2
        eventually(lambda: {state(pid) for pid in frozen} == {"T"})
        runtime = runtime_at(place)
        left, seconds = runtime.take_over()
        assert (set(left), seconds < 60) == (set(frozen), True)
        (scanner,) = set(frozen) - {server}
        eventually(lambda: state(scanner) in {"Z", ""})  # it would go on with what it has not found
        assert state(server) == "T"  # nobody has proved the storage yet
        assert runtime_at(place).take_over()[0] != ()  # should this supervisor die as well
        runtime.thaw(left)
        eventually(lambda: state(server) == "S")
        assert not (place / "state" / NAME).exists()
        assert runtime_at(place).take_over() == ((), 0.0)


def test_a_process_that_got_the_number_of_a_frozen_one_is_left_alone(tmp_path):
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        os.kill(other.pid, signal.SIGSTOP)
        eventually(lambda: state(other.pid) == "T")
        life = Lifetime.of(other.pid)
        assert life is not None
        for changed in ({"born": life.born - 1}, {"boot": "another"}):
            (tmp_path / NAME).write_text(json.dumps([life.as_record() | changed]))
            assert LocalRuntime(frozen=tmp_path / NAME).take_over() == ((), 0.0)
        assert state(other.pid) == "T"
    finally:
        other.kill()
        other.wait()


def test_it_is_written_down_before_anything_is_stopped_and_forgotten_when_all_goes_on(place, monkeypatch):  # noqa: F811 - the fixture
    written: list[set[int]] = []
    record = place / "state" / NAME
    real = os.kill

    def kill(pid: int, number: int) -> None:
        if number == signal.SIGSTOP:
            written.append({life["pid"] for life in json.loads(record.read_text())})
            assert pid in written[-1]
        real(pid, number)

    monkeypatch.setattr(os, "kill", kill)
    with served(place) as server:
        runtime = runtime_at(place)
        frozen = runtime.freeze()
        assert server in frozen
        assert len(written) == 2
        runtime.thaw(frozen)
        assert not record.exists()


@pytest.mark.parametrize("text", ["", "{", "7", '[{"pid": "x"}]', "[null]"])
def test_a_record_that_cannot_be_read_names_nothing(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert FrozenRecord(tmp_path / NAME).take_over() == ()


def test_a_disk_that_cannot_be_written_does_not_keep_plex_from_being_frozen(place):  # noqa: F811 - the fixture
    (place / "state").write_text("in the way")
    with served(place) as server:
        runtime = runtime_at(place)
        frozen = runtime.freeze()
        assert server in frozen
        eventually(lambda: state(server) == "T")
        runtime.thaw(frozen)
        eventually(lambda: state(server) == "S")


AS_NOBODY = """
import os, sys
from pathlib import Path
from plexsuper.clients.server.local import LocalRuntime
from plexsuper.errors import ServerRefused
runtime = LocalRuntime()
runtime._table.servers = lambda: (int(sys.argv[1]),)
runtime._table.scanners = lambda: ()
os.setgid(65534)
os.setuid(65534)
try:
    runtime.freeze()
except ServerRefused as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_the_server_of_another_user_is_refused_with_the_remedy(place):  # noqa: F811 - the fixture
    with served(place) as server:
        said = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(server)], capture_output=True, text=True, check=True
        ).stdout
        assert said == (
            f"Plex cannot be frozen: process {server} belongs to root, and plexsuper runs as user 65534. Run it as root "
            "or as Plex's user; without freezing, a storage that fails during a scan can cost the library\n"
        )
        assert state(server) == "S"


def test_whoever_looks_learns_that_plex_was_left_frozen_and_the_command_that_thaws_it(place):  # noqa: F811 - the fixture
    with served(place) as server:
        assert look_at_frozen(place / "state") is None
        frozen = freeze_and_die(place)
        eventually(lambda: {state(pid) for pid in frozen} == {"T"})
        left = look_at_frozen(place / "state")
        assert left is not None
        assert (left.processes, left.supervisor, left.stood < 60) == (2, None, True)
        assert {state(pid) for pid in frozen} == {"T"}  # to look changes nothing
        assert look_at_frozen(place / "state", "another") is None
        subprocess.run(["sh", "-c", left.thaw], check=True)
        eventually(lambda: state(server) == "S")
        assert look_at_frozen(place / "state") is None  # the record is there, but nothing stands still


SUPERVISOR = """
import sys
from pathlib import Path
from plexsuper.clients.server.supervisor_lock import only_supervisor
with only_supervisor(Path(sys.argv[1]), "r1", ()):
    print("supervises", flush=True)
    sys.stdin.read()
"""


def test_the_supervisor_that_holds_a_frozen_plex_is_named_as_long_as_it_lives(place):  # noqa: F811 - the fixture
    with served(place):
        freeze_and_die(place)
        (place / "link").symlink_to(place / "state")
        argv = [sys.executable, "-c", SUPERVISOR, str(place / "link")]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"supervises\n"
            seen = [look_at_frozen(place / name) for name in ("state", "link")]
            assert [left and left.supervisor for left in seen] == [other.pid, other.pid]
        left = look_at_frozen(place / "state")
        assert left is not None
        assert left.supervisor is None
