"""Proves that preflight sees what is in the way of a run, says all of it at once, and each with its remedy."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from plexsuper.actions.preflight import examine, preflight, require_no_error
from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.host import Host, Place, look_at_host
from plexsuper.clients.plex_values import Identity, ServerNotUp
from plexsuper.clients.probe import ContentProbe, Failure, Proof
from plexsuper.config import Settings, load_settings
from plexsuper.errors import DatabaseError, PreflightError
from plexsuper.events import Event, PreflightFinding
from plexsuper.faces.checklist import checklist, summary
from plexsuper.kinds import SectionType
from plexsuper.paths import PlexPaths
from plexsuper.terms import Section, SectionDefinition

GIB = 1024**3
CONFIG = Path("/plex/Plex Media Server")


def place(path: str, **changes: Any) -> Place:
    """Return a directory in which all is well."""
    return replace(
        Place(path=Path(path), exists=True, readable=True, writable=True, free=50 * GIB), **changes
    )


HOST = Host(
    python="3.11.7",
    system="Linux",
    pidfd=True,
    proc=True,
    state=place("/state"),
    config=place(str(CONFIG)),
    command=None,
    url_is_here=True,
)
MOVIES = Section(id=1, title="Movies", type=SectionType.MOVIE, locations=("/media/Movies",))
UP = Identity(claimed=True, machine="m1", version="1.43.4")
DOWN = ServerNotUp("nobody listens", state="refused")
SEEN = Seen(
    host=HOST,
    server=UP,
    media=Proof(entries=3, latency=0.1, detail="3 entries"),
    library=(MOVIES,),
    machine="m1",
    token=True,
)
FILMS = SectionDefinition(
    title="Films", type=SectionType.MOVIE, agent="a", scanner="s", language="en", paths=("/media/Films",)
)


def settings(**tables: Any) -> Settings:
    """Return settings with which all is well, with these tables over them."""
    plex = {"config_dir": CONFIG, **tables.pop("plex", {})}
    media = {"path": "/media", **tables.pop("media", {})}
    return Settings(plex=plex, media=media, state_dir="/state", **tables)


def faults(wanted: Settings, seen: Seen) -> list[str]:
    """Return what is not as it should be, one text for each finding."""
    found = [finding for finding in judge(wanted, seen) if finding.severity != "ok"]
    assert all(finding.remedy for finding in found)
    return [
        f"{finding.severity} {finding.subject}: {finding.message} -> {finding.remedy}" for finding in found
    ]


def test_when_all_is_well_every_subject_is_named_and_none_needs_a_remedy():
    found = judge(settings(), SEEN)
    assert [finding.subject for finding in found] == [
        *("profile", "settings", "python", "system", "state_dir", "plex.config_dir"),
        *("library", "server", "token", "media"),
    ]
    assert all(finding.severity == "ok" and not finding.remedy for finding in found)
    assert {finding.subject: finding.message for finding in found} | {"profile": ""} == {
        "profile": "",
        "settings": "no settings file",
        "python": "3.11.7",
        "system": "Linux",
        "state_dir": "/state, 50.0 GiB free",
        "plex.config_dir": "/plex/Plex Media Server, 50.0 GiB free",
        "library": "1 sections: Movies (movie)",
        "server": "Plex 1.43.4 answers at http://127.0.0.1:32400 (claimed); it will be left running",
        "token": "in Preferences.xml",
        "media": "/media serves content: 3 entries",
    }
    require_no_error(found)


@pytest.mark.lesson("L12", "L04")
def test_the_patience_is_shown_as_it_was_computed():
    assert judge(settings(profile="cloud_intensive"), SEEN)[0].message == (
        "cloud_intensive, for a rented machine, a huge library from scratch: stalled after 30 x 120 s = 3600 s without "
        "progress; budgets movie 4 h, show 4 h, artist 4 h, photo 16 h; cap 72 h"
    )


MISSING_COMMAND = {"plex": {"command": ["plexx", "--x"]}}
COMMAND = {"plex": {"command": ["plex"]}}


@pytest.mark.parametrize(
    ("tables", "seen", "fault"),
    [
        ({}, {"host": replace(HOST, system="Darwin")}, "error system: Darwin is not supported"),
        ({}, {"host": replace(HOST, proc=False)}, "error system: /proc cannot be read"),
        ({}, {"host": replace(HOST, pidfd=False)}, "error system: this kernel gives no pidfd"),
        (
            {},
            {"host": replace(HOST, state=place("/state", writable=False))},
            "error state_dir: /state cannot be written",
        ),
        (
            {},
            {"host": replace(HOST, state=place("/state", free=60 * 1024**2))},
            "error state_dir: /state, 0.1 GiB free",
        ),
        (
            {},
            {"host": replace(HOST, config=place(str(CONFIG), free=GIB // 2))},
            "warning plex.config_dir: /plex/Plex Media Server, 0.5 GiB free",
        ),
        (
            {"plex": {"config_dir": None, "token": "tok-abcdef"}},
            {"host": replace(HOST, config=None), "library": None},
            "warning plex.config_dir: not set: progress and statistics cannot be read",
        ),
        (
            {},
            {"host": replace(HOST, config=place(str(CONFIG), readable=False))},
            "error plex.config_dir: /plex/Plex Media Server cannot be read -> run plexsuper as Plex's user, or as root",
        ),
        (
            {},
            {"library": DatabaseError("the database is damaged: page 7")},
            "error library: the database is damaged: page 7",
        ),
        (
            {},
            {"library": None},
            "error library: a Plex server answers, but there is no library database at /plex/Plex Media Server/Plug-in",
        ),
        (
            {},
            {"server": DOWN},
            "error server: nothing answers at http://127.0.0.1:32400: nobody listens -> start Plex, correct plex.url, or",
        ),
        (
            {},
            {"server": ServerNotUp("this is no Plex server: <html>", state="error", status=200)},
            "error server: this is no Plex server: <html> -> correct plex.url, or free the port: something else answers",
        ),
        (
            {},
            {"machine": "m2"},
            "error server: the server at http://127.0.0.1:32400 is not the one of plex.config_dir",
        ),
        (
            {},
            {"token": False},
            "error token: the server is claimed, but its token is neither in the settings nor in",
        ),
        (
            {"plex": {"claim": "claim-abcdefgh"}},
            {},
            "warning claim: the server is claimed already: the claim token is not used",
        ),
        (
            {},
            {"media": Failure(reason="empty", detail="0 entries")},
            "error media: /media does not serve content (empty): 0 entries -> mount the storage, or correct media.path",
        ),
        (
            {"run": {"sections": ["Movie"]}},
            {},
            "error sections: there is no section 'Movie' -> did you mean 'Movies'?",
        ),
        (
            {"run": {"sections": ["9"]}},
            {},
            "error sections: there is no section '9' -> there are: Movies, 1",
        ),
    ],
)
def test_each_fault_is_one_finding_with_its_remedy(tables, seen, fault):
    (found,) = faults(settings(**tables), replace(SEEN, **seen))
    assert found.startswith(fault)


@pytest.mark.lesson("L01")
def test_a_command_that_is_not_installed_is_named():
    host = replace(HOST, command=None)
    (found,) = faults(settings(**MISSING_COMMAND), replace(SEEN, host=host, server=DOWN))
    assert found == (
        "error plex.command: plexx is not an executable program -> correct plex.command, or install Plex"
    )


def test_a_command_cannot_start_a_server_that_is_elsewhere():
    host = replace(HOST, command="/usr/bin/plex", url_is_here=False)
    (found,) = faults(settings(**COMMAND), replace(SEEN, host=host))
    assert found.startswith(
        "error plex.url: http://127.0.0.1:32400 is not an address of this machine, but plex.command"
    )


def test_a_server_from_scratch_needs_neither_directory_nor_database_nor_token():
    host = replace(HOST, command="/usr/bin/plex", config=place(str(CONFIG), exists=False, readable=False))
    seen = replace(SEEN, host=host, server=DOWN, library=None, machine=None, token=False)
    assert faults(settings(**COMMAND), seen) == []
    (found,) = faults(settings(), seen)[:1]
    assert found.startswith("error plex.config_dir: /plex/Plex Media Server does not exist")


@pytest.mark.parametrize("state", ["maintenance", "migration", "starting"])
def test_a_server_that_is_starting_is_waited_for(state):
    seen = replace(SEEN, server=ServerNotUp("503", state=state, status=503))
    assert faults(settings(), seen) == []
    message = next(finding.message for finding in judge(settings(), seen) if finding.subject == "server")
    assert message == f"Plex at http://127.0.0.1:32400 is starting ({state}); a run waits up to 15 min"


def test_definitions_must_fit_to_the_sections_and_the_storage():
    wanted = settings(run={"definitions": "/l.json", "sections": ["Films", "Music"]})
    other = replace(FILMS, title="Movies", type=SectionType.SHOW, paths=("/elsewhere/TV",))
    seen = replace(SEEN, definitions=(FILMS, other), missing=("/media/Films",))
    assert [found.split(" -> ")[0] for found in faults(wanted, seen)] == [
        "error definitions: section 'Movies' exists as movie, but is defined as show",
        "warning definitions: /elsewhere/TV of section 'Movies' is not below media.path (/media): its storage is not watched",
        "error definitions: /media/Films is not in the media storage",
        "error sections: there is no section 'Music'",
    ]


@pytest.mark.lesson("F05")
def test_a_secret_that_lies_open_in_a_file_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith(("PLEX_", "PLEXSUPER_"))]:
        monkeypatch.delenv(name)
    file = tmp_path / "plexsuper.toml"
    file.write_text('[plex]\ntoken = "tok-abcdef"\n[media]\npath = "/media"\n')
    file.chmod(0o644)
    assert faults(load_settings(), replace(SEEN, host=replace(HOST, config=None)))[0] == (
        "warning settings: plex.token stands in plexsuper.toml, which other users of this machine may read -> "
        "chmod 600 plexsuper.toml, or give it in the environment"
    )


def test_all_errors_are_raised_together():
    seen = replace(SEEN, media=Failure(reason="dead", detail="ENOTCONN"), token=False)
    with pytest.raises(PreflightError) as caught:
        require_no_error(judge(settings(), seen))
    assert str(caught.value) == (
        "2 things are in the way of a run; nothing was started:\n\n"
        "  token: the server is claimed, but its token is neither in the settings nor in Preferences.xml\n"
        "    -> give PLEX_TOKEN, or set plex.config_dir to this server's directory\n"
        "  media: /media does not serve content (dead): ENOTCONN\n"
        "    -> mount the storage, or correct media.path; nothing is scanned without it"
    )


# --- the table --------------------------------------------------------------------------------------


def test_the_table_has_one_line_for_each_finding_its_remedy_below_and_a_verdict():
    found = (
        PreflightFinding(severity="ok", subject="python", message="3.11.7"),
        PreflightFinding(
            severity="warning", subject="a", message="one two three four five six seven eight", remedy="do x"
        ),
        PreflightFinding(severity="error", subject="media", message="gone", remedy="mount it"),
    )
    assert list(checklist(found, width=20, colour=False)) == [
        "ok       python  3.11.7",
        "warning  a       one two three four five six seven eight",
        "                 -> do x",
        "ERROR    media   gone",
        "                 -> mount it",
        "",
        "Not ready: 1 error, 1 warning.",
    ]
    assert next(checklist(found, width=80, colour=True)) == "\x1b[32mok     \x1b[0m  python  3.11.7"


def test_the_verdict_counts():
    ok = PreflightFinding(severity="ok", subject="a", message="b")
    bad = replace(ok, severity="error")
    hint = replace(ok, severity="warning")
    assert summary([ok]) == "Ready to run."
    assert summary([ok, hint, hint]) == "Ready to run, 2 warnings."
    assert summary([bad, bad]) == "Not ready: 2 errors."


# --- looking at the real thing ----------------------------------------------------------------------


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


def test_a_state_directory_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    host = look_at_host(
        state_dir=tmp_path / "file/state", config_dir=None, command=["nix-there"], url="http://127.0.0.1"
    )
    assert (host.state.writable, host.config, host.command) == (False, None, None)


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
        with pytest.raises(PreflightError, match="3 things are in the way of a run") as caught:
            await preflight(wanted, probe=probe, publish=published.append)
    errors = [
        found.subject
        for found in published
        if isinstance(found, PreflightFinding) and found.severity == "error"
    ]
    assert errors == ["library", "server", "definitions"]
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
        assert re.search(r"sections: .*Movies \(movie\)", found["library"].message)
        assert found["token"].message == "in Preferences.xml"
        # the database of another server would tell lies about this one
        preferences = PlexPaths.below(tmp_path / "plex").preferences_xml
        machine = re.search(r'ProcessedMachineIdentifier="(\w+)"', preferences.read_text())
        assert machine is not None
        preferences.write_text(preferences.read_text().replace(machine[1], "0" * 40))
        assert (await seen_up(wanted, probe))["server"].message.endswith("their machine identifiers differ")


async def seen_up(wanted: Settings, probe: ContentProbe) -> dict[str, PreflightFinding]:
    """Examine until the server is up; the last finding about each subject counts."""
    with anyio.fail_after(30):
        while True:
            found = await examine(wanted, probe=probe)
            by_subject = {finding.subject: finding for finding in found}
            if any("answers at" in finding.message for finding in found if finding.severity == "ok"):
                return by_subject
            await anyio.sleep(0.1)
