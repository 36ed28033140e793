"""Proves the command line: every option by name, every error as a sentence and an exit code, `--help` without ballast."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from plexsuper.cli import app

TOKEN = "tok-abcdefghijklmnop"
PLEXSUPER = [sys.executable, "-m", "plexsuper"]
HEAVY = (
    "aiodocker",
    "aiohttp",
    "aiosqlite",
    "anyio",
    "numpy",
    "pydantic",
    "pydantic_settings",
    "rich",
    "sqlite3",
    "uvloop",
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with an environment that says nothing about plexsuper."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith(("PLEXSUPER_", "PLEX_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def set_up(tmp_path: Path, unused_tcp_port: int) -> Path:
    """Write settings with which everything is there except a server, and return their file."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media/film.mkv").write_bytes(b"film")
    (tmp_path / "Plex Media Server").mkdir()
    file = tmp_path / "settings.toml"
    file.write_text(
        f'[plex]\nurl = "http://127.0.0.1:{unused_tcp_port}"\nconfig_dir = "Plex Media Server"\n[media]\npath = "media"\n'
    )
    return file


def invoke(*arguments: str) -> Result:
    """Run plexsuper in this process."""
    return CliRunner().invoke(app, list(arguments))


def plexsuper(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run plexsuper as a user does."""
    return subprocess.run([*PLEXSUPER, *arguments], capture_output=True, text=True, timeout=60, check=False)


def settings_of(started: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what the first line of a run says about its settings."""
    first = json.loads(started.stdout.splitlines()[0])
    assert first["type"] == "run.started"
    settings: dict[str, Any] = first["data"]["settings"]
    return settings


# --- help --------------------------------------------------------------------------------------------


def test_help_lists_the_commands_and_loads_nothing_heavy():
    code = f"""
import sys
from plexsuper.__main__ import main
sys.argv = ["plexsuper", "--help"]
try:
    main()
finally:
    print("loaded:", sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.splitlines()[-1] == "loaded: []"
    for command in ("run", "check", "init", "schema", "demo", "simulator", "db"):
        assert f"\n  {command} " in shown.stdout
    assert "Exit codes: 0 done, 1 internal error, 2 usage or settings" in shown.stdout
    assert "…" not in shown.stdout
    assert "..." not in shown.stdout.replace("[ARGS]...", "")


def test_the_version_is_printed():
    shown = invoke("--version")
    assert (shown.exit_code, shown.output) == (0, "plexsuper 0.1.0 (event stream 1)\n")


@pytest.mark.parametrize("group", [(), ("db",), ("runs",)])
def test_what_a_command_does_is_not_cut_off_on_a_terminal_of_80_columns(group, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = invoke(*group, "--help").stdout
    assert "\nCommands:\n" in shown
    assert "..." not in shown.replace("[ARGS]...", "")


def test_completion_can_be_shown_and_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = plexsuper("--show-completion", "bash")
    assert "complete -o default -F _plexsuper_completion plexsuper" in shown.stdout
    assert plexsuper("--install-completion", "bash").returncode == 0
    assert (tmp_path / ".bash_completions/plexsuper.sh").read_text() in shown.stdout


# --- the default command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [[], ["--quick"], ["--section", "A", "--deep"], ["run"], ["--config", "nix"]]
)
def test_without_a_command_it_runs(arguments):
    shown = invoke(*arguments)
    assert shown.exit_code == 2
    assert "wrong with the settings; nothing was started" in shown.stderr


def test_a_misspelled_command_is_not_taken_for_a_run():
    shown = invoke("chekc")
    assert shown.exit_code == 2
    assert "No such command 'chekc'. Did you mean 'check'?" in shown.stderr


# --- run and check: every option has its effect ------------------------------------------------------


def test_every_flag_of_a_run_reaches_the_settings(set_up):
    started = plexsuper(
        *(
            "run",
            "--config",
            str(set_up),
            "--profile",
            "cloud_intensive",
            "--section",
            "Movies",
            "--section",
            "2",
        ),
        *("--deep", "--refresh", "--no-sonic", "--dry-run", "--events", "jsonl"),
        *("--empty-trash", "--when-idle", "--fresh", "--no-guard"),
    )
    assert started.returncode == 3
    settings = settings_of(started)
    assert settings["profile"] == "cloud_intensive"
    assert settings["timing"]["stall_after"] == 3600.0
    assert settings["run"] == {
        "sections": ["Movies", "2"],
        "definitions": None,
        "sonic": False,
        "refresh": True,
        "deep": True,
        "quick": False,
        "fresh": True,
        "dry_run": True,
        "retries": 2,
    }
    guard = settings["guard"]
    assert (guard["enabled"], guard["empty_trash"], guard["when_idle"]) == (False, True, True)
    assert settings["events"] == {"format": "jsonl"}
    last = json.loads(started.stdout.splitlines()[-1])
    assert (last["type"], last["data"]["exit_code"]) == ("run.finished", 3)


@pytest.mark.lesson("L11", "L12")
def test_quick_is_one_flag_and_the_run_says_the_stall_time_that_follows(set_up):
    started = plexsuper("run", "--config", str(set_up), "--quick", "--events", "jsonl")
    first = json.loads(started.stdout.splitlines()[0])
    assert (first["data"]["interval"], first["data"]["stall_after"]) == (30.0, 150.0)
    assert first["data"]["settings"]["run"]["quick"] is True


def test_a_dry_tidying_lists_what_is_left_and_what_would_be_done(set_up, tmp_path):
    ledger = tmp_path / "state/plexsuper/preferences-1.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text('{"autoEmptyTrash": "1"}')
    shown = plexsuper("tidy", "--config", str(set_up), "--dry-run", "--events", "text")
    assert shown.returncode == 0
    assert "left by an earlier run: Plex's settings are silenced\n" in shown.stdout
    steps = shown.stdout.split("\n It would\n")[1]
    assert steps.startswith("   1. ask storage for every entry that Plex has lost since it was silenced\n")
    assert ledger.exists()
    assert list(ledger.parent.iterdir()) == [ledger]


def test_a_dry_tidying_with_nothing_to_do_sends_nobody_on(set_up):
    shown = plexsuper("tidy", "--config", str(set_up), "--dry-run", "--events", "text")
    assert shown.returncode == 0
    assert shown.stdout.endswith("There is nothing to tidy up.\n\n")


def test_a_tidying_that_finds_nothing_says_so_and_asks_nobody(set_up):
    shown = plexsuper("tidy", "--config", str(set_up), "--events", "text")
    assert shown.returncode == 0
    assert "tidied up: nothing was left over" in shown.stdout


def test_events_as_text_are_plain_lines(set_up):
    started = plexsuper("run", "--config", str(set_up), "--events", "text")
    assert started.returncode == 3
    assert "nothing answers at" in started.stdout
    assert not started.stdout.startswith("{")


def test_the_page_of_a_run_is_told_on_standard_error_and_its_token_in_no_event(set_up, monkeypatch):
    monkeypatch.setenv("PLEXSUPER_WEB__PORT", "0")
    monkeypatch.setenv("PLEXSUPER_WEB__TOKEN", TOKEN)
    started = plexsuper("run", "--config", str(set_up), "--web", "--events", "jsonl")
    assert started.returncode == 3
    assert re.fullmatch(rf"The page of this run: http://127\.0\.0\.1:\d+/\?token={TOKEN}\n", started.stderr)
    assert settings_of(started)["web"] == {"enabled": True, "host": "127.0.0.1", "port": 0, "token": "set"}
    assert TOKEN not in started.stdout


def test_a_page_whose_port_is_taken_is_told_before_anything_is_started(set_up, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PLEXSUPER_WEB__PORT", str(port))
        refused = plexsuper("run", "--config", str(set_up), "--web", "--events", "jsonl")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"The page of the run cannot be served at 127.0.0.1, port {port}: another program uses that port. "
        "Set web.port to a free one, or to 0 for any.\n"
    )


def test_check_takes_the_flags_of_a_run_and_prints_json_for_scripts(set_up):
    shown = invoke(
        *("check", "--config", str(set_up), "--profile", "cloud_standard", "--section", "Movies"),
        *("--deep", "--refresh", "--no-sonic", "--json"),
    )
    assert shown.exit_code == 3
    answer = json.loads(shown.stdout)
    assert (answer["ready"], answer["exit_code"]) == (False, 3)
    assert [finding["subject"] for finding in answer["findings"] if finding["severity"] == "error"] == [
        "server"
    ]
    assert answer["settings"]["timing"]["stall_after"] == 900.0
    run = answer["settings"]["run"]
    assert (run["sections"], run["deep"], run["refresh"], run["sonic"]) == (["Movies"], True, True, False)


@pytest.mark.lesson("L12")
def test_check_shows_the_computed_stall_time_in_its_table(set_up):
    shown = invoke("check", "--config", str(set_up), "--quick")
    assert shown.exit_code == 3
    assert (
        "local_delta, for a home server, what is new since the last run: stalled after 5 x 30 s = 150 s"
        in shown.stdout
    )
    assert "ERROR    server" in shown.stdout
    assert "-> start Plex, correct plex.url, or set plex.command" in shown.stdout
    assert shown.stdout.endswith("Not ready: 1 error.\n")


@pytest.mark.lesson("F05")
def test_check_shows_no_secret_wherever_it_stands(set_up, monkeypatch):
    monkeypatch.setenv("PLEX_TOKEN", TOKEN)
    monkeypatch.setenv("PLEXSUPER_PLEX__COMMAND", f"/bin/false {TOKEN}")
    for arguments in (("check", "--config", str(set_up)), ("check", "--config", str(set_up), "--json")):
        assert TOKEN not in invoke(*arguments).output


# --- init --------------------------------------------------------------------------------------------


def test_init_writes_a_file_that_only_its_owner_may_read_and_that_check_understands():
    assert invoke("init").exit_code == 0
    assert stat.S_IMODE(Path("plexsuper.toml").stat().st_mode) == 0o600
    shown = invoke("check")
    assert shown.exit_code == 2
    assert "2 things are wrong with the settings" in shown.stderr  # what only the user can know


def test_init_leaves_a_file_that_exists_unless_it_is_forced():
    file = Path("mine.toml")
    file.write_text("precious")
    refused = invoke("init", str(file))
    assert (refused.exit_code, file.read_text()) == (2, "precious")
    assert (
        "mine.toml exists already and was left as it is; `plexsuper init --force` overwrites it."
        in refused.stderr
    )
    assert invoke("init", "--force", str(file)).exit_code == 0
    assert file.read_text().startswith("# Settings of plexsuper.")


def test_init_says_when_it_cannot_write():
    refused = invoke("init", "nix/plexsuper.toml")
    assert refused.exit_code == 2
    assert "nix/plexsuper.toml cannot be written: No such file or directory." in refused.stderr


# --- the other commands ------------------------------------------------------------------------------


def test_schema_prints_a_valid_json_schema():
    shown = invoke("schema")
    assert shown.exit_code == 0
    schema = json.loads(shown.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_wrong_options_of_the_demo_are_told_at_once(tmp_path):
    (tmp_path / "file").touch()
    shown = invoke(
        "demo", "--library", "huge", "--events", "xml", "--data", "file", "--keep", "--fault", "flood"
    )
    assert shown.exit_code == 2
    assert shown.stderr.splitlines() == [
        "--library: 'huge' is not one of small, reference",
        "--events: 'xml' is not one of auto, jsonl, text",
        "--fault: 'flood' is not one of mount-death, hung, unmounted, unreadable, vanished, emptied",
        "--fault brings a library of its own: leave --library out",
        "--keep is for the temporary directory: with --data everything is kept anyway",
        "--data: file is not a directory",
    ]


def test_options_of_the_demo_that_show_nothing_together_are_told():
    shown = invoke("demo", "--no-guard", "--web")
    assert (shown.exit_code, shown.stderr) == (2, "--no-guard shows nothing without a --fault\n")
    shown = invoke("demo", "--fault", "hung", "--library", "reference")
    assert (shown.exit_code, shown.stderr) == (
        2,
        "--fault brings a library of its own: leave --library out\n",
    )


def test_the_simulator_gets_its_arguments_and_its_own_help():
    shown = plexsuper("simulator", "--list-knobs")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--time-scale" in plexsuper("simulator", "--help").stdout


def test_the_database_commands_get_their_arguments_and_give_their_exit_code():
    assert "repair" in invoke("db", "--help").stdout
    assert invoke("db", "nix").exit_code == 2
    assert invoke("db", "check", "nix.db").exit_code == 5
