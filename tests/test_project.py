"""Proves what holds the project together: scripts, lock files, lints, import direction and the lessons table."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.lessons import read_lessons

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.read_bytes()[:80].count(b"bash"))
VERBS = [path for path in [*SCRIPTS, ROOT / ".ci/run"] if not path.name.startswith("_")]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the project to its end; what it says is for the test to judge."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("verb", VERBS, ids=lambda path: path.name)
def test_every_verb_can_be_called(verb: Path) -> None:
    assert os.access(verb, os.X_OK)
    assert verb.read_text().startswith("#!/usr/bin/env bash\n# ")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_scripts_are_clean_shell() -> None:
    checked = run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *SCRIPTS, ROOT / ".ci/run")
    assert checked.stdout == ""
    assert checked.returncode == 0


@pytest.mark.lesson("L15", "L34")
@pytest.mark.parametrize("verb", ["demo", "test", "check", "lock"])
def test_a_verb_only_calls_what_the_package_and_its_tools_do(verb: str) -> None:
    code = [line for line in (ROOT / "scripts" / verb).read_text().splitlines() if not line.startswith("#")]
    assert len(code) <= 16
    assert not re.search(r"^\s*(if|for|while|until|case|python3? -c)\b", "\n".join(code), re.MULTILINE)


def test_without_a_usable_python_the_verbs_say_what_to_install(tmp_path: Path) -> None:
    shim = tmp_path / "python3"  # a version manager's shim: it is on PATH and does not run
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    asked = run("/bin/bash", "-c", '. scripts/_venv; PATH="$TOOLS"; find_python', TOOLS=str(tmp_path))
    assert asked.returncode == 1
    assert asked.stdout == ""
    assert asked.stderr.startswith("plexsuper needs Python 3.11 or newer and found none on PATH: install one")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_pins_by_hash_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    pins = re.split(r"^(?=\S)", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert [
        pin.splitlines()[0] for pin in pins if not re.match(r"[a-z0-9-]+==\S+ .*\\\n +--hash=sha256:", pin)
    ] == []
    assert re.findall(r"\S*(?:://|--(?!hash)|@ )\S*|(?<= )[./~]\S+", text) == []


@pytest.mark.parametrize(
    ("lock", "groups"), [("run.lock", []), ("dev.lock", ["test", "check", "build"])], ids=["run", "dev"]
)
def test_the_lock_files_fit_the_project_file(lock: str, groups: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"]]
    for group in groups:
        wanted += project["dependency-groups"][group]
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE))
    requirements = [Requirement(text) for text in wanted]
    assert [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ] == []


def test_both_lock_files_pin_the_same_versions() -> None:
    of_run, of_dev = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("run.lock", "dev.lock")
    )
    assert of_run == {name: version for name, version in of_dev.items() if name in of_run}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_file_names_a_place_on_somebodys_machine() -> None:
    # The brackets keep these patterns from finding themselves.
    places = "/wor[k]/|/roo[t]/|/opt/(pypi|wheel[s])|/tmp/pla[n]|pypi[.]or[g]"
    found = run("git", "grep", "--untracked", "-nIE", places)
    assert found.stdout == ""
    assert found.returncode == 1, found.stderr  # git's word for "looked and found nothing"


@pytest.mark.lesson("L08", "L09")
def test_an_undefined_name_and_a_lost_import_do_not_pass() -> None:
    assert lint("TOTAL = total\n") == ["F821"]
    assert lint("import json\n") == ["F401"]


@pytest.mark.lesson("L10", "L28")
def test_an_argument_that_does_not_exist_does_not_pass(tmp_path: Path) -> None:
    assert types(tmp_path, "def scan(*, quick: bool) -> None: ...\nscan(fast=True)\n") == ["call-arg"]


@pytest.mark.lesson("L13", "L14", "L33")
def test_wildcard_imports_and_hidden_imports_do_not_pass() -> None:
    assert lint("from os.path import *\n") == ["F403"]
    assert lint('def stop() -> None:\n    """Stop."""\n    import signal\n\n    signal.pause()\n') == [
        "PLC0415"
    ]


@pytest.mark.lesson("L35")
def test_a_path_that_may_be_missing_does_not_pass_for_a_path(tmp_path: Path) -> None:
    code = "import os\ndef there(path: str | None) -> bool:\n    return os.path.exists(path)\n"
    assert types(tmp_path, code) == ["arg-type"]


def test_a_forgotten_case_does_not_pass(tmp_path: Path) -> None:
    code = "def name(it: int | str) -> str:\n    match it:\n        case str():\n            return it\n    return ''\n"
    assert types(tmp_path, code) == ["exhaustive-match"]


def lint(code: str) -> list[str]:
    """Lint *code* as if it stood in the package, and return the codes of the findings."""
    module = f'"""A module."""\n\n{code}'
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=src/plexsuper/new.py", "-"],
        cwd=ROOT, input=module, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return re.findall(r"^\S+: ([A-Z]+\d+) ", found.stdout, re.MULTILINE)


def types(tmp_path: Path, code: str) -> list[str]:
    """Check the types of *code* with the project's settings, and return the codes of the findings."""
    module = tmp_path / "new.py"
    module.write_text(code)
    checked = run(
        sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", module, cwd=tmp_path
    )
    return re.findall(r"error: .*\[([a-z-]+)\]$", checked.stdout, re.MULTILINE)


def test_imports_that_point_up_or_reach_for_the_world_do_not_pass(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "src/plexsuper", tmp_path / "plexsuper", ignore=shutil.ignore_patterns("__pycache__")
    )
    for module, line in {
        "kinds.py": "import plexsuper.decisions.plan",
        "decisions/settle.py": "import time",
        "monitors/new.py": "import sqlite3",
        "monitors/other.py": "import threading",
        "faces/new.py": "import plexsuper.clients",
        "simulator/new.py": "import plexsuper.terms",
        "database/btree/new.py": "import plexsuper.database.check.report",
    }.items():
        with (tmp_path / "plexsuper" / module).open("a") as file:
            file.write(f"\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    linted = run(
        linter, "--no-cache", "--config", ROOT / "pyproject.toml", cwd=tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert re.findall(r"^(.*) (BROKEN|KEPT)", linted.stdout, re.MULTILINE) == [
        ("Imports point down", "BROKEN"),
        ("Decisions are pure: no clock, no input or output, no waiting", "BROKEN"),
        ("Only clients and the database package touch the world", "BROKEN"),
        ("Monitors wait and ask clients, nothing else", "BROKEN"),
        ("Faces know nothing but the event stream", "BROKEN"),
        ("The simulator shares no code with what is tested against it", "BROKEN"),
        ("No folder builds on one that builds on it, at any depth", "BROKEN"),
    ]


def test_the_table_of_lessons_names_every_incident_once() -> None:
    ids = [id_ for lesson in read_lessons(ROOT / "tests/lessons.toml") for id_ in lesson.ids]
    assert sorted(ids) == [f"F{n:02}" for n in range(1, 10)] + [f"L{n:02}" for n in range(1, 49)]


def test_every_lesson_has_a_test_or_waits_for_a_piece_to_come() -> None:
    listed = run(sys.executable, "-m", "pytest", "--lessons", "-p", "no:cacheprovider")
    assert re.findall(r"^(\S.*)\n(?:      .*\n)*?      FAULT: (.*)", listed.stdout, re.MULTILINE) == []
    assert listed.returncode == 0, listed.stdout + listed.stderr
