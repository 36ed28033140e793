"""A Plex server that is a process of this host: found, started, frozen, stopped, and its files read.

The server is a small script of the right name: it answers signals and starts children as the real one does, but
speaks no HTTP.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.server.found import SUPPORT_DIR
from plexsuper.clients.server.local import LocalRuntime
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.terms import Scanner, ScannerKind

pytestmark = pytest.mark.blocking("the process table is kernel memory: reading it waits for no disk")

SERVER = """\
import os, signal, subprocess, sys
here = os.path.dirname(os.path.abspath(__file__))
ends = os.environ.get("ENDS", "yes")
if ends == "no":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
library = open(os.environ["OPENS"]) if "OPENS" in os.environ else None
scanner = subprocess.Popen([os.path.join(here, "Plex Media Scanner"), "--scan", "--section", "7"])
print("PLEX_TOKEN" in os.environ, "PLEX_CLAIM" in os.environ, os.environ.get("@SUPPORT@"))
print("HttpServer: Listening on port 32400, X-Plex-Token=verysecret99", file=sys.stderr)
print("ready", os.getpid(), scanner.pid, flush=True)
while True:
    signal.pause()
"""
SCANNER = "import signal\nwhile True:\n    signal.pause()\n"
PREFERENCES = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<Preferences MachineIdentifier="m-1" PlexOnlineToken="t-1" FriendlyName="Bob&apos;s"/>\n'
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a server and a scanner to start, and a directory for Plex below it."""
    for name, code in (
        ("Plex Media Server", SERVER.replace("@SUPPORT@", SUPPORT_DIR)),
        ("Plex Media Scanner", SCANNER),
    ):
        script = tmp_path / name
        script.write_text(f"#!{sys.executable}\n{code}")
        script.chmod(0o755)
    (tmp_path / "support" / "Plex Media Server" / "Plug-in Support").mkdir(parents=True)
    return tmp_path


def runtime_at(place: Path, *, command: tuple[str, ...] | None = None) -> LocalRuntime:
    """A runtime for the server of *place*."""
    return LocalRuntime(
        config_dir=place / "support" / "Plex Media Server",
        command=command or (str(place / "Plex Media Server"),),
        log=place / "logs" / "server.log",
    )


async def started(runtime: LocalRuntime) -> tuple[int, int]:
    """Start the server; return its pid and that of its scanner when both are up."""
    pid = await runtime.start()
    with anyio.fail_after(10):
        while True:
            for line in runtime.log_tail(20):
                if found := re.fullmatch(r"ready (\d+) (\d+)", line):
                    assert int(found[1]) == pid
                    return pid, int(found[2])
            await anyio.sleep(0.01)


def state(pid: int) -> str:
    """The state letter of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


async def holds(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the kernel tells nobody of these
            await anyio.sleep(0.005)


async def becomes(pid: int, wanted: str) -> None:
    """Wait until a process has a state of *wanted*."""
    await holds(lambda: state(pid) in wanted)


@contextmanager
def foreign(place: Path, **env: str) -> Iterator[int]:
    """A server that somebody else has started."""
    with subprocess.Popen(
        [place / "Plex Media Server"], env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        scanner = int(process.stdout.readline().split()[2])
        try:
            yield process.pid
        finally:
            process.kill()
            os.kill(scanner, signal.SIGKILL)


async def test_a_server_is_started_found_and_stopped_with_everything_that_belongs_to_it(place: Path) -> None:
    runtime = runtime_at(place)
    assert (runtime.pid, runtime.owned) == (None, False)
    pid, scanner = await started(runtime)
    assert (runtime.pid, runtime.owned) == (pid, True)
    await holds(lambda: runtime.scanners() == (Scanner(pid=scanner, kind=ScannerKind.SCAN, section=7),))
    assert await runtime.stop(10) == 3
    assert (runtime.pid, runtime.owned, runtime.scanners()) == (None, False, ())
    assert state(scanner) in {"", "Z"}


async def test_a_server_that_ignores_the_polite_word_is_killed_after_the_patience(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDS", "no")
    runtime = runtime_at(place)
    pid, scanner = await started(runtime)
    assert await runtime.stop(0.1) == -signal.SIGKILL
    assert state(pid) in {"", "Z"}
    assert state(scanner) in {"", "Z"}


@pytest.mark.lesson("F05")
async def test_a_server_inherits_no_secret_and_gets_its_directory(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLEX_TOKEN", "s3cret")
    monkeypatch.setenv("PLEX_CLAIM", "claim-s3cret")
    runtime = runtime_at(place)
    await started(runtime)
    log = runtime.log_tail(3)
    await runtime.stop(10)
    assert f"False False {place / 'support'}" in log
    assert "HttpServer: Listening on port 32400, X-Plex-Token=***" in log


async def test_a_server_of_somebody_else_is_found_by_its_directory_and_is_not_ours(place: Path) -> None:
    with foreign(place, **{SUPPORT_DIR: str(place / "support")}) as pid:
        runtime = runtime_at(place)
        assert (runtime.pid, runtime.owned) == (pid, False)
        with pytest.raises(ServerRefused, match=rf"already runs here \(process {pid}\)"):
            await runtime.start()
    assert runtime.pid is None


async def test_a_server_that_follows_another_one_is_found_and_so_are_its_scanners(place: Path) -> None:
    runtime = runtime_at(place)
    for _ in range(2):
        with foreign(place, **{SUPPORT_DIR: str(place / "support")}) as pid:
            assert runtime.pid == pid
            await holds(lambda: [scanner.section for scanner in runtime.scanners()] == [7])
        assert runtime.pid is None


async def test_a_server_with_another_directory_is_another_server(place: Path) -> None:
    with foreign(place, **{SUPPORT_DIR: "/config/Library/Application Support"}):
        runtime = runtime_at(place)
        assert runtime.pid is None
        assert runtime.scanners() == ()


async def test_the_end_of_the_server_is_noticed(place: Path) -> None:
    runtime = runtime_at(place)
    pid, _ = await started(runtime)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.exited, pid)
        os.kill(pid, signal.SIGKILL)
    assert runtime.pid is None
    assert not runtime.owned
    for scanner in runtime.scanners():  # the server died, its child did not
        os.kill(scanner.pid, signal.SIGKILL)
        await becomes(scanner.pid, "Z")


@pytest.mark.lesson("L40")
async def test_freezing_stops_server_and_scanners_and_thawing_lets_them_go_on(place: Path) -> None:
    runtime = runtime_at(place)
    pid, scanner = await started(runtime)
    frozen = runtime.freeze()
    assert set(frozen) == {pid, scanner}
    await becomes(pid, "T")
    await becomes(scanner, "T")
    runtime.thaw(frozen)
    await becomes(pid, "SR")
    await becomes(scanner, "SR")
    assert await runtime.stop(10) == 3


async def test_a_frozen_server_can_be_stopped(place: Path) -> None:
    runtime = runtime_at(place)
    pid, scanner = await started(runtime)
    runtime.freeze()
    await becomes(pid, "T")
    assert await runtime.stop(10) == 3
    await becomes(scanner, "Z")  # or gone: on a busy machine one that is killed ends a moment later


async def test_nothing_running_is_nothing_to_freeze_or_stop(place: Path) -> None:
    runtime = runtime_at(place)
    assert runtime.freeze() == ()
    assert await runtime.stop(1) is None


async def test_a_command_that_does_not_exist_or_is_not_set_says_what_to_do(place: Path) -> None:
    runtime = runtime_at(place, command=(str(place / "no such server"),))
    with pytest.raises(
        ServerRefused, match=r"no such server: No such file or directory; check plex\.command"
    ):
        await runtime.start()
    with pytest.raises(ServerRefused, match=r"plex\.command is not set"):
        await LocalRuntime(config_dir=place).start()


async def test_the_exit_code_of_a_server_that_ends_by_itself_is_known(place: Path) -> None:
    runtime = runtime_at(place, command=(sys.executable, "-c", "raise SystemExit(5)"))
    await runtime.exited(await runtime.start())
    await holds(lambda: not runtime.owned)
    assert await runtime.stop(1) == 5


async def test_the_log_of_a_server_of_somebody_else_is_its_log_file(place: Path) -> None:
    logs = place / "support" / "Plex Media Server" / "Logs"
    logs.mkdir()
    text = "".join(f"line {number}\n" for number in range(20_000)) + "token=abcdef1234\n"
    (logs / "Plex Media Server.log").write_text(text)
    runtime = runtime_at(place)
    assert runtime.log_tail(3) == ("line 19998", "line 19999", "token=***")
    assert len(runtime.log_tail(1_000_000)) < 20_000
    assert LocalRuntime().log_tail(3) == ()


@pytest.mark.lesson("F05")
@pytest.mark.parametrize("own", [True, False], ids=["its own output", "its log file"])
async def test_the_token_of_the_server_is_hidden_in_its_log_wherever_it_stands(
    place: Path, own: bool
) -> None:
    support = place / "support" / "Plex Media Server"
    (support / "Preferences.xml").write_text(PREFERENCES.replace("t-1", "twentycharacterslong"))
    command = (sys.executable, "-c", "print('signed in as twentycharacterslong, ready')")
    runtime = runtime_at(place, command=command) if own else runtime_at(place)
    if own:
        await runtime.exited(await runtime.start())
    else:
        (support / "Logs").mkdir()
        (support / "Logs" / "Plex Media Server.log").write_text("signed in as twentycharacterslong, ready\n")
    assert runtime.log_tail(1) == ("signed in as ***, ready",)


async def test_preferences_are_read_and_survive_being_written_anew(place: Path) -> None:
    file = place / "support" / "Plex Media Server" / "Preferences.xml"
    runtime = runtime_at(place)
    file.write_text(PREFERENCES[:60])

    async def finish() -> None:
        await anyio.sleep(0.15)
        await anyio.to_thread.run_sync(lambda: file.with_suffix(".new").write_text(PREFERENCES))
        await anyio.to_thread.run_sync(lambda: file.with_suffix(".new").rename(file))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(finish)
        found = await runtime.preferences_xml()
    assert found == {"MachineIdentifier": "m-1", "PlexOnlineToken": "t-1", "FriendlyName": "Bob's"}


@pytest.mark.lesson("L16")
async def test_preferences_that_are_not_there_are_a_reason_to_ask_again(place: Path) -> None:
    with pytest.raises(ServerAway, match=r"there is no .*Preferences\.xml yet"):
        await runtime_at(place).preferences_xml()
    with pytest.raises(ServerAway, match=r"plex\.config_dir is not set"):
        await LocalRuntime().preferences_xml()


async def test_a_fresh_server_is_given_the_directory_in_which_it_will_be_looked_for(place: Path) -> None:
    config = place / "config"
    runtime = LocalRuntime(
        config_dir=config, command=(str(place / "Plex Media Server"),), log=place / "server.log"
    )
    await started(runtime)
    log = runtime.log_tail(3)
    assert f"False False {config / 'Library/Application Support'}" in log
    assert await runtime.stop(10) == 3


async def test_a_server_that_names_no_directory_is_known_by_the_library_it_has_open(place: Path) -> None:
    ours, other = (
        place / name / "Plug-in Support" / "Databases" for name in ("support/Plex Media Server", "other")
    )
    for directory in (ours, other):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "com.plexapp.plugins.library.db").touch()
    with foreign(place, OPENS=str(other / "com.plexapp.plugins.library.db")):
        assert (runtime_at(place).pid, runtime_at(place).scanners()) == (None, ())
    with foreign(place, OPENS=str(ours / "com.plexapp.plugins.library.db")) as pid:
        runtime = runtime_at(place)
        assert runtime.pid == pid
        with anyio.fail_after(10):
            while not runtime.scanners():  # noqa: ASYNC110 - a young process does not show its arguments yet
                await anyio.sleep(0.02)
        assert [scanner.section for scanner in runtime.scanners()] == [7]  # told by its parent


async def test_a_server_that_a_killed_supervisor_has_started_is_ours_and_is_stopped(place: Path) -> None:
    def runtime(state_dir: Path) -> LocalRuntime:
        return LocalRuntime(
            config_dir=place / "support" / "Plex Media Server",
            command=(str(place / "Plex Media Server"),),
            log=place / "logs" / "server.log",
            state_dir=state_dir,
        )

    first, another, second = map(runtime, (place / "state", place / "another", place / "state"))
    pid, scanner = await started(first)
    assert (another.pid, another.owned) == (pid, False)
    assert (second.pid, second.owned) == (pid, True)
    assert "ready" in "".join(second.log_tail(20))
    assert await second.stop(10) is None  # its exit code is told to nobody but its parent
    await holds(lambda: first.pid is None)
    assert state(scanner) in {"", "Z"}
