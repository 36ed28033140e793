"""Proves that preflight looks at the real machine, storage, library and server."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from plexsuper.actions.preflight import examine, preflight
from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.host import look_at_host
from plexsuper.clients.plex.values import ServerNotUp
from plexsuper.clients.server.ledger import Ledger
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.config import Settings
from plexsuper.errors import PreflightError
from plexsuper.events import Event, PreflightFinding
from plexsuper.paths import PlexPaths
from plexsuper.simulator.real import free_port
from tests import real_simulator
from tests.real_run import command, running
from tests.test_client_http import serving


def test_the_host_is_looked_at_as_it_is(tmp_path):
    host = look_at_host(
        state_dir=tmp_path / "not/yet", config_dir=tmp_path, command=["sh"], url="http://127.0.0.1:1"
    )
    assert (host.system, host.proc, host.pidfd) == ("Linux", True, True)
    assert host.python == sys.version.split()[0]
    assert (host.state.exists, host.state.readable, host.state.writable) == (False, False, True)
    assert host.state.free > 0
    assert host.config is not None
    assert (host.config.exists, host.config.readable) == (True, True)
    assert host.command is not None
    assert host.command.endswith("/sh")


def test_what_a_run_has_not_given_back_to_plex_is_told_until_one_has(tmp_path):
    def found() -> list[PreflightFinding]:
        host = look_at_host(state_dir=tmp_path, config_dir=None, command=(), url="http://127.0.0.1:1")
        seen = Seen(host=host, server=ServerNotUp("down", state="refused"), media=None)
        return [f for f in judge(real_settings(tmp_path, 1), seen) if f.subject == "plex.settings"]

    ledger = Ledger(tmp_path, "m1")
    assert found() == []
    ledger.save({"autoEmptyTrash": "1"})
    (finding,) = found()
    assert finding.severity == "warning"
    assert (
        finding.remedy
        == f"start a run: at its end it gives back what {tmp_path}/preferences-m1.json remembers"
    )
    ledger.clear()
    assert found() == []


def test_a_state_directory_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    host = look_at_host(
        state_dir=tmp_path / "file/state", config_dir=None, command=["nix-there"], url="http://127.0.0.1"
    )
    assert (host.state.writable, host.config, host.command) == (False, None, None)


def test_a_state_directory_that_is_a_file_cannot_be_used(tmp_path):
    (tmp_path / "file").touch()
    host = look_at_host(state_dir=tmp_path / "file", config_dir=None, command=(), url="http://127.0.0.1")
    assert (host.state.exists, host.state.writable) == (False, False)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:32400", True), ("http://[::1]:32400", None), ("http://192.0.2.1:32400", False)],
)
def test_an_address_is_ours_when_it_can_be_bound(url, here):
    host = look_at_host(state_dir=Path("/"), config_dir=None, command=(), url=url)
    assert host.url_is_here is here or (here is None and host.url_is_here in {True, False})


@asynccontextmanager
async def looking(wanted: Settings) -> AsyncIterator[ContentProbe]:
    """Give a probe of the media of *wanted*."""
    assert wanted.media.path is not None
    async with aclosing(ContentProbe(wanted.media.path)) as probe:
        yield probe


def real_settings(tmp_path: Path, port: int, **tables: Any) -> Settings:
    """Return settings for a server of ours on *port*."""
    plex = {"url": f"http://127.0.0.1:{port}", "config_dir": tmp_path / "plex", **tables.pop("plex", {})}
    return Settings(plex=plex, media={"path": tmp_path / "media"}, state_dir=tmp_path / "state", **tables)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Make a small tree with media."""
    for name in ("Movies/A (2001)/A.mkv", "TV/B/S01/B - s01e01.mkv"):
        (tmp_path / "media" / name).parent.mkdir(parents=True)
        (tmp_path / "media" / name).write_bytes(b"x" * 2000)
    return tmp_path / "media"


async def test_everything_is_asked_and_published_even_when_much_is_wrong(tmp_path, media, unused_tcp_port):
    definitions = tmp_path / "l.json"
    paths = [str(media / "Movies"), str(media / "Nix")]
    definitions.write_text(json.dumps([{"title": "Movies", "type": "movie", "paths": paths}]))
    library = PlexPaths.below(tmp_path / "plex").library_db
    library.parent.mkdir(parents=True)
    library.write_bytes(b"this is no database" * 500)
    wanted = real_settings(
        tmp_path, unused_tcp_port, run={"definitions": definitions, "sections": ["Movies"]}
    )
    published: list[Event] = []
    async with looking(wanted) as probe:
        with pytest.raises(PreflightError, match="2 things are in the way of a run") as caught:
            await preflight(wanted, probe=probe, publish=published.append)
    faults = [
        (found.severity, found.subject)
        for found in published
        if isinstance(found, PreflightFinding) and found.subject in {"library", "server", "definitions"}
    ]
    assert ("warning", "library") in faults  # the run would check it, and repair it
    assert [subject for severity, subject in faults if severity == "error"] == ["server", "definitions"]
    assert f"{media}/Nix is not in the media storage" in str(caught.value)
    assert not (tmp_path / "state").exists()  # nothing was changed


@pytest.fixture
def simulator(tmp_path: Path, media: Path, unused_tcp_port: int) -> Iterator[int]:
    """Run an embedded Plex as a process of its own, and give its port."""
    command = [sys.executable, "-m", "plexsuper.simulator", "--plain", "--data", str(tmp_path / "plex")]
    options = [
        "--media",
        str(media),
        "--port",
        str(unused_tcp_port),
        "--sections",
        "auto",
        "--time-scale",
        "50",
    ]
    with (tmp_path / "simulator.log").open("w") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        try:
            yield unused_tcp_port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


async def test_a_running_server_is_recognised_with_its_sections_and_its_token(tmp_path, simulator):
    wanted = real_settings(tmp_path, simulator, run={"sections": ["Movies", "Nix"]})
    async with looking(wanted) as probe:
        found = await seen_up(wanted, probe)
        assert [finding.message for finding in found.values() if finding.severity == "error"] == [
            "there is no section 'Nix'"
        ]
        assert re.search(r"sections?: .*Movies \(movie\)", found["library"].message)
        assert found["token"].message == "in Preferences.xml; Plex accepts it"
        # the database of another server would tell lies about this one
        preferences = PlexPaths.below(tmp_path / "plex").preferences_xml
        machine = re.search(r'ProcessedMachineIdentifier="(\w+)"', preferences.read_text())
        assert machine is not None
        preferences.write_text(preferences.read_text().replace(machine[1], "0" * 40))
        found = await seen_up(wanted, probe)
        assert found["server"].message.endswith("their machine identifiers differ")
        assert found["token"].message == "in Preferences.xml"  # it is not shown to a stranger


async def seen_up(wanted: Settings, probe: ContentProbe) -> dict[str, PreflightFinding]:
    """Examine until the server is up; the last finding about each subject counts."""
    with anyio.fail_after(30):
        while True:
            found = await examine(wanted, probe=probe)
            by_subject = {finding.subject: finding for finding in found}
            if any("answers at" in finding.message for finding in found if finding.severity == "ok"):
                return by_subject
            await anyio.sleep(0.1)


async def test_people_who_watch_something_on_a_running_server_are_named(tmp_path, media):
    with real_simulator.simulator(tmp_path, knobs=("viewer_seconds=600",)) as server:
        wanted = Settings(
            plex={"url": server.url, "config_dir": server.layout.data},
            media={"path": server.media},
            state_dir=tmp_path / "state",
        )
        async with looking(wanted) as probe:
            found = [f.message for f in await examine(wanted, probe=probe) if f.subject == "viewers"]
    assert found == ["somebody is watching: anna: The Long Film"]


WRONG = "wrong-token-0123456789"


@pytest.mark.lesson("F05")
def test_a_wrong_token_is_told_by_check_as_by_the_run_and_with_its_exit_code(tmp_path, media):
    with real_simulator.simulator(tmp_path) as server:
        tables = {
            "plex": {"url": server.url, "config_dir": str(server.layout.data)},
            "media": {"path": str(media)},
        }
        with running(tmp_path, tables, "--events", "text", PLEX_TOKEN=WRONG) as run:
            assert run.end() == 6
            said = run.stdout.decode() + run.stderr
        with command(tmp_path, tables) as (argv, env):
            check = ["check" if word == "run" else word for word in argv]
            looked = subprocess.run(
                [*check, "--json"],
                env=env | {"PLEX_TOKEN": WRONG},
                capture_output=True,
                text=True,
                check=False,
            )
            shown = subprocess.run(
                check,
                env=env | {"PLEX_TOKEN": WRONG, "COLUMNS": "400"},
                capture_output=True,
                text=True,
                check=False,
            )
        assert server.truth("preferences.changed") == []
    answer = json.loads(looked.stdout)
    (error,) = [finding for finding in answer["findings"] if finding["severity"] == "error"]
    assert error["message"].startswith(
        "Plex does not accept us (token: settings): GET /library/sections: Plex answered 401: "
    )
    assert error["remedy"] == (
        "set PLEX_TOKEN to the token of this server's owner, or remove it to use the server's own"
    )
    assert (looked.returncode, answer["ready"], answer["exit_code"]) == (6, False, 6)
    assert shown.returncode == 6
    assert shown.stdout.endswith("Not ready: 1 error.\n")
    assert error["message"] in shown.stdout
    assert error["message"] in said
    assert error["remedy"] in said
    for text in (said, looked.stdout, looked.stderr, shown.stdout, shown.stderr):
        assert "wrong-token" not in text


async def test_a_busy_server_that_does_not_answer_to_the_token_yet_is_no_fault_of_the_token():
    identity = {"MediaContainer": {"claimed": True, "machineIdentifier": "m", "version": "1.43.4"}}

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/identity":
            return web.json_response(identity)
        return web.Response(status=503, text="busy")

    async with serving(answer) as url:
        wanted = Settings(plex={"url": url, "token": WRONG}, media={"path": "/"}, state_dir="/nix")
        async with looking(wanted) as probe:
            found = {finding.subject: finding for finding in await examine(wanted, probe=probe)}
    assert "access" not in found
    assert (found["token"].severity, found["token"].message) == (
        "ok",
        "given in the settings; whether it is the right one is not known yet: GET /library/sections: Plex answered 503: busy",
    )


def test_a_run_that_may_open_too_few_files_is_refused_before_anything_is_started(tmp_path):
    (tmp_path / "media" / "Movies").mkdir(parents=True)
    (tmp_path / "media" / "Movies" / "film.mkv").write_bytes(b"film")
    started = tmp_path / "started"
    tables: dict[str, dict[str, Any]] = {
        "media": {"path": str(tmp_path / "media")},
        "plex": {
            "url": f"http://127.0.0.1:{free_port()}",
            "config_dir": str(tmp_path / "data"),
            "command": ["touch", str(started)],
        },
    }
    with command(tmp_path, tables) as (argv, env):
        few = ["bash", "-c", 'ulimit -n 28; exec "$@"', "few", *argv]
        done = subprocess.run(few, cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [
        x["data"] for x in told if x["type"] == "preflight.finding" and x["data"]["severity"] == "error"
    ]
    assert [(finding["subject"], finding["remedy"]) for finding in errors] == [
        ("system", "allow 1024 or more: ulimit -n 1024, or LimitNOFILE=1024 for a service")
    ]
    assert (done.returncode, started.exists()) == (3, False)
