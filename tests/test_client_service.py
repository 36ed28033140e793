"""The service manager is told the truth in time, over the real socket, and a run without one does not notice."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from plexsuper.clients.service import ServiceManager, keep_service_informed, take_manager
from plexsuper.faces.status import status
from plexsuper.state import Now
from plexsuper.terms import Phase, SectionRef, Stage, Verdict
from tests.real_run import RealRun, running
from tests.real_simulator import PATIENCE, QUICK, Simulator, children_of, simulator, write_media

MOVIES = SectionRef(id=1, title="Movies")
SCANNING = Now(stage=Stage.SECTIONS, sections=(MOVIES,), section=MOVIES, phase=Phase.SCAN)


class Manager:
    """The receiving end, as systemd has it: one datagram socket, read when the test wants to."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.heard: list[list[str]] = []

    @property
    def lines(self) -> list[str]:
        """Every line so far, in order."""
        while True:
            try:
                self.heard.append(self._socket.recv(65536).decode().split("\n"))
            except BlockingIOError:
                return [line for datagram in self.heard for line in datagram]

    def of(self, name: str) -> list[str]:
        return [line.partition("=")[2] for line in self.lines if line.startswith(f"{name}=")]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """Give a manager that listens at a path, and one in the abstract namespace."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@plexsuper-test-{os.getpid()}"
    listening = Manager(address)
    yield listening
    listening.close()


def under(monkeypatch: pytest.MonkeyPatch, address: str, **more: str) -> None:
    """Be a service that such a manager has started."""
    for name, value in {"NOTIFY_SOCKET": address, **more}.items():
        monkeypatch.setenv(name, value)


async def until(holds: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - a datagram that came in sets no event here
            await anyio.sleep(0.01)


# --- what the environment says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "manager"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1000000"}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, ServiceManager("/run/n")),
        ({"NOTIFY_SOCKET": "@n"}, ServiceManager("\0n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000"}, ServiceManager("/n", 1.5)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, ServiceManager("/n", 1.5)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, ServiceManager("/n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, ServiceManager("/n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"}, ServiceManager("/n")),
    ],
)
def test_the_manager_is_the_one_the_environment_names_and_no_child_inherits_it(environment, manager):
    kept = {"PATH": "/bin"}
    given = {**environment, **kept}
    assert take_manager(given, 7) == manager
    assert given == kept


# --- what it is told ----------------------------------------------------------------------------------


async def test_ready_is_told_once_and_only_when_preflight_is_over(manager, monkeypatch):
    under(monkeypatch, manager.address, WATCHDOG_USEC="40000")
    now = Now()
    async with keep_service_informed(lambda: now, status):
        await until(lambda: len(manager.of("WATCHDOG")) > 2)
        now = Now(stage=Stage.PREFLIGHT)
        await until(lambda: "preflight: looking at this machine" in manager.of("STATUS"))
        assert "READY=1" not in manager.lines
        now = Now(stage=Stage.INPUTS)
        await until(lambda: "READY=1" in manager.lines)
        now = SCANNING
        await until(lambda: "Movies (1 of 1), scan" in manager.of("STATUS"))
        heard = len(manager.of("WATCHDOG"))
        await until(lambda: len(manager.of("WATCHDOG")) > heard + 2)
        now = Now(verdict=Verdict.DONE, exit_code=0)
    assert manager.lines.count("READY=1") == 1
    assert manager.heard[-1] == ["STATUS=done", "STOPPING=1"]
    assert manager.of("STATUS") == [
        "starting",
        "preflight: looking at this machine",
        "inputs: collecting what has to be asked",
        "Movies (1 of 1), scan",
        "done",
    ]


async def test_a_run_that_starts_or_cleans_up_asks_for_more_time_and_no_other(manager, monkeypatch):
    under(monkeypatch, manager.address, WATCHDOG_USEC="40000")
    now = Now(stage=Stage.PREFLIGHT)
    async with keep_service_informed(lambda: now, status):
        await until(lambda: len(manager.of("EXTEND_TIMEOUT_USEC")) > 1)
        now = SCANNING
        await until(lambda: "Movies (1 of 1), scan" in manager.of("STATUS"))
        asked = len(manager.of("EXTEND_TIMEOUT_USEC"))
        heard = len(manager.of("WATCHDOG"))
        await until(lambda: len(manager.of("WATCHDOG")) > heard + 2)
        assert manager.of("EXTEND_TIMEOUT_USEC")[asked:] == []
        now = Now(stage=Stage.EXPORT)
        await until(lambda: len(manager.of("EXTEND_TIMEOUT_USEC")) > asked + 1)
    assert set(manager.of("EXTEND_TIMEOUT_USEC")) == {"60000000"}


@pytest.mark.parametrize(
    ("verdict", "code", "ready"), [(Verdict.PLANNED, 0, True), (Verdict.PREFLIGHT, 3, False)]
)
async def test_a_run_too_short_to_be_seen_under_way_was_ready_if_it_was_good(
    manager, monkeypatch, verdict, code, ready
):
    under(monkeypatch, manager.address)
    now = Now()
    async with keep_service_informed(lambda: now, status):
        now = Now(verdict=verdict, exit_code=code)
    assert ("READY=1" in manager.lines) is ready
    assert manager.lines[-1] == "STOPPING=1"


async def test_a_run_that_breaks_says_goodbye_too(manager, monkeypatch):
    under(monkeypatch, manager.address)
    with pytest.RaisesGroup(KeyError):
        async with keep_service_informed(lambda: SCANNING, status):
            await until(lambda: manager.lines)
            raise KeyError
    assert manager.lines[-1] == "STOPPING=1"


@pytest.mark.blocking("it is what this test is about")
async def test_a_blocked_event_loop_gives_no_sign_of_life(manager, monkeypatch):
    under(monkeypatch, manager.address, WATCHDOG_USEC="20000")
    async with keep_service_informed(lambda: SCANNING, status):
        await until(lambda: manager.of("WATCHDOG"))
        heard = len(manager.of("WATCHDOG"))
        time.sleep(0.1)  # noqa: ASYNC251 - the blocked loop
        assert manager.of("WATCHDOG")[heard:] == []
        await until(lambda: manager.of("WATCHDOG")[heard:])


async def test_a_watchdog_of_another_process_is_not_fed(manager, monkeypatch):
    under(monkeypatch, manager.address, WATCHDOG_USEC="20000", WATCHDOG_PID="1")
    async with keep_service_informed(Now, status):
        await until(lambda: len(manager.of("EXTEND_TIMEOUT_USEC")) > 1)
    assert manager.of("WATCHDOG") == []


async def test_a_manager_that_is_away_is_told_everything_when_it_is_back(tmp_path, monkeypatch):
    address = str(tmp_path / "notify")
    under(monkeypatch, address, WATCHDOG_USEC="20000")
    async with keep_service_informed(lambda: SCANNING, status):
        await anyio.wait_all_tasks_blocked()
        back = Manager(address)
        await until(lambda: "READY=1" in back.lines)
        back.close()
    assert back.heard[0] == ["READY=1", "STATUS=Movies (1 of 1), scan", "WATCHDOG=1"]


async def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path, monkeypatch):
    deaf = Manager(str(tmp_path / "notify"))
    monkeypatch.setattr("plexsuper.clients.service._PATIENCE", 0.02)
    try:
        full = 0
        while await ServiceManager(deaf.address).tell("STATUS=x"):
            full += 1
            assert full < 10_000
        assert len(deaf.of("STATUS")) == full
    finally:
        deaf.close()


async def test_without_a_manager_nothing_happens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    async with keep_service_informed(lambda: pytest.fail("nobody wants to know"), status):
        await anyio.lowlevel.checkpoint()


async def test_a_status_stays_one_line_whatever_a_section_is_called(manager):
    odd = SectionRef(id=1, title="A\nREADY=1\udcff")
    now = Now(stage=Stage.SECTIONS, sections=(odd,), section=odd)
    assert await ServiceManager(manager.address.replace("@", "\0")).tell(f"STATUS={status(now)}")
    assert manager.lines == ["STATUS=A READY=1 (1 of 1)"]


# --- a real process -----------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Manager]:
    """Give a manager for a real run on the media in the same place."""
    write_media(tmp_path / "media")
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


@pytest.mark.slow
def test_a_real_run_reports_itself_from_its_start_to_its_end(tmp_path, real):
    service = {"NOTIFY_SOCKET": real.address, "WATCHDOG_USEC": "400000"}
    with (
        simulator(tmp_path, "--time-scale", "8") as server,
        running(tmp_path, settings(server), **service) as run,
    ):
        assert ended(run, real) == 0, run.stderr
    said = real.of("STATUS")
    assert real.lines.count("READY=1") == 1
    assert (said[0], said[-1], real.lines[-1]) == ("starting", "done", "STOPPING=1")
    assert any(text.startswith("Movies (1 of 2), scan") for text in said)
    assert any(text.startswith("Music (2 of 2), ") for text in said)
    # It takes several seconds, and a busy machine gives late signs of life.
    assert len(real.of("WATCHDOG")) >= 5


@pytest.mark.slow
def test_a_stopped_run_says_so_and_its_children_know_no_manager(tmp_path, real):
    slow = (*QUICK, "item_seconds=60")
    with (
        simulator(tmp_path, knobs=slow) as server,
        running(tmp_path, settings(server), NOTIFY_SOCKET=real.address) as run,
    ):
        run.wait_until("section.phase.started")
        children = children_of(run.process.pid)
        assert children, "the run has no child to look at"
        for pid in children:
            assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()
        run.send(signal.SIGTERM)
        assert ended(run, real) == 130
    assert real.of("STATUS")[-1] == "interrupted"
    assert real.lines[-1] == "STOPPING=1"


def settings(server: Simulator) -> dict[str, dict[str, Any]]:
    return {
        "media": {"path": str(server.media), "every": 0.5},
        "plex": {"url": server.url, "config_dir": str(server.layout.data)},
    }


def ended(run: RealRun, manager: Manager) -> int:
    """Read like a manager, whose queue is short, until the run has ended; return its exit code."""
    end = time.monotonic() + PATIENCE
    while run.process.poll() is None:
        assert manager.lines or time.monotonic() < end
        time.sleep(0.02)
    return run.end()
