"""Proves that preflight sees what is in the way of a run, says all of it at once, and each with its remedy."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plexsuper.actions.preflight import failure, require_no_error
from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.host import Host, Place
from plexsuper.clients.left_frozen import LeftFrozen
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.clients.storage.probe import Failure, Proof
from plexsuper.config import Settings, load_settings
from plexsuper.errors import DatabaseError, PreflightError, ServerRefused, SettingsError
from plexsuper.kinds import SectionType
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
        "library": "1 section: Movies (movie)",
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
        (
            {},
            {"host": replace(HOST, open_files=28)},
            "error system: a process may have only 28 files open here",
        ),
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


def test_a_damaged_library_is_a_warning_where_the_run_will_check_and_repair_it_first():
    damaged = DatabaseError("the database is damaged: page 7")
    found = faults(settings(), replace(SEEN, library=damaged, server=DOWN))
    assert any(fault.startswith("warning library: the database is damaged: page 7") for fault in found)


@pytest.mark.lesson("L01")
def test_a_library_without_sections_is_told_unless_some_are_defined():
    empty = replace(SEEN, library=())
    assert faults(settings(), empty) == [
        (
            "warning library: no sections: a run would end with nothing done"
            " -> create them in Plex, or let the run do it (run.definitions)"
        )
    ]
    assert faults(settings(), replace(empty, definitions=(FILMS,))) == []


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
        require_no_error(judge(settings(run={"sections": ["Films"]}), seen))
    assert str(caught.value) == (
        "3 things are in the way of a run; nothing was started:\n\n"
        "  token: the server is claimed, but its token is neither in the settings nor in Preferences.xml\n"
        "    -> give PLEX_TOKEN, or set plex.config_dir to this server's directory\n"
        "  media: /media does not serve content (dead): ENOTCONN\n"
        "    -> mount the storage, or correct media.path; nothing is scanned without it\n"
        "  sections: there is no section 'Films'\n"
        "    -> there are: Movies, 1"
    )


def test_wrong_names_of_sections_alone_are_wrong_usage():
    with pytest.raises(SettingsError, match="there is no section 'Movie'\n    -> did you mean 'Movies'"):
        require_no_error(judge(settings(run={"sections": ["Movie"]}), SEEN))


def test_people_who_watch_are_named_unless_the_run_waits_for_them():
    seen = replace(SEEN, viewers=("anna: The Long Film",))
    found = [finding for finding in judge(settings(), seen) if finding.subject == "viewers"]
    assert [(finding.severity, finding.message) for finding in found] == [
        ("warning", "somebody is watching: anna: The Long Film")
    ]
    waiting = settings(guard={"when_idle": True})
    assert [finding for finding in judge(waiting, seen) if finding.subject == "viewers"] == []


def test_a_section_of_an_unknown_kind_is_told_unless_others_are_wanted():
    seen = replace(SEEN, tried=True, unknown=("Books (type book)",))
    (found,) = faults(settings(), seen)
    assert found == (
        "warning sections: plexsuper does not know this kind of section: Books (type book) -> a run leaves it out; let Plex scan "
        "it by itself, or look for a newer plexsuper"
    )
    assert faults(settings(run={"sections": ["Movies"]}), seen) == []


REFUSED = ServerRefused("GET /library/sections: Plex answered 401")


@pytest.mark.parametrize(
    ("tables", "seen", "code"),
    [
        ({}, {}, None),
        ({"run": {"sections": ["Movie"]}}, {}, 2),
        ({}, {"tried": True, "access": REFUSED}, 6),
        ({"run": {"sections": ["Movie"]}}, {"tried": True, "access": REFUSED}, 3),
        ({}, {"token": False}, 3),
        ({}, {"media": Failure(reason="dead", detail="ENOTCONN")}, 3),
    ],
)
def test_check_has_the_exit_code_of_the_run(tables, seen, code):
    error = failure(judge(settings(**tables), replace(SEEN, **seen)))
    assert (None if error is None else int(error.exit_code)) == code


def test_a_plex_that_was_left_frozen_does_not_hinder_a_run_that_would_thaw_it():
    left = LeftFrozen(processes=6, stood=7300.4, thaw="kill -CONT 3 2", supervisor=None)
    (found,) = faults(settings(), replace(SEEN, server=DOWN, frozen=left))
    assert found == (
        "warning frozen: Plex at http://127.0.0.1:32400 has stood still for 2 h: a run that died has left it frozen (6 processes). "
        "It stays so until its storage is proved, for its scanner removes what it does not find -> `plexsuper run` lets it go on "
        "when storage is proved, and ends its scanner before; by hand, only when you know that storage is well: kill -CONT 3 2"
    )
    found = faults(settings(), replace(SEEN, server=DOWN, frozen=replace(left, supervisor=77)))[0]
    assert "the run of process 77 has frozen it, for its storage is in doubt -> leave it to that run" in found
    assert "kill" not in found
    assert faults(settings(), replace(SEEN, server=DOWN, frozen=left, held=True)) == []


def test_what_hinders_a_run_is_told_with_the_plex_that_stands_still_meanwhile():
    left = LeftFrozen(processes=6, stood=60.7, thaw="kill -CONT 3 2", supervisor=None)
    dead = Failure(reason="dead", detail="ENOTCONN")
    with pytest.raises(PreflightError) as caught:
        require_no_error(judge(settings(), replace(SEEN, server=DOWN, media=dead, frozen=left)))
    assert str(caught.value) == (
        "One thing is in the way of a run; nothing was started:\n\n"
        "  media: /media does not serve content (dead): ENOTCONN\n"
        "    -> mount the storage, or correct media.path; nothing is scanned without it\n\n"
        "Plex stands still meanwhile:\n\n"
        "  frozen: Plex at http://127.0.0.1:32400 has stood still for 61 s: a run that died has left it frozen (6 processes). It stays "
        "so until its storage is proved, for its scanner removes what it does not find\n"
        "    -> `plexsuper run` lets it go on when storage is proved, and ends its scanner before; by hand, only when you know that "
        "storage is well: kill -CONT 3 2"
    )
