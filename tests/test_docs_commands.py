"""Proves that the program understands every command that the documentation names."""

import os
import re
import shlex
from typing import Any

import pytest
import typer

from plexsuper.cli import app
from plexsuper.cli.database import app as database_app
from plexsuper.cli.describe import PASSED_ON
from tests.doc_pages import ROOT, written


def parse(words: list[str]) -> None:
    """Let the program's own parser read a command; it raises for what it does not know."""
    group: Any = typer.main.get_command(app)
    if words and words[0] in PASSED_ON:
        name, *words = words
        _read(typer.main.get_command(PASSED_ON[name]), name, words)
        return
    known = {option for one in group.params for option in one.opts}
    words = [word for word in words if word not in known]
    name = words.pop(0) if words and not words[0].startswith("-") else "run"
    assert name in group.commands, name
    _read(group.commands[name], name, words)


def _read(command: Any, name: str, words: list[str]) -> None:
    inner = getattr(command, "commands", {})
    at = next((number for number, word in enumerate(words) if word in inner), None)
    if at is not None:
        command, name, words = inner[words[at]], words[at], words[at + 1 :]
    if name in {"inject", "export"}:  # both are paths, so the parser cannot tell them apart
        assert ".tar." not in words[0], words
    if inner and at is None:  # such as `plexsuper runs`
        words = [*words, next(iter(inner))]
    command.make_context(name, words)


def test_commands_that_take_any_argument_hand_them_to_one_that_does_not():
    group: Any = typer.main.get_command(app)
    lax = {
        name
        for name, command in group.commands.items()
        if "ignore_unknown_options" in command.context_settings
    }
    assert lax == {*PASSED_ON, "simulator"}


@pytest.mark.parametrize(("page", "line"), written())
def test_every_command_in_the_documentation_is_one_that_the_program_understands(
    page, line, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    alone = re.split(r" (?:\||>|>>|&&|;) ", line)[0].replace(" >", "")
    program, *words = shlex.split(alone)
    if any(word in {"--help", "--version", "--install-completion", "--list-knobs"} for word in words):
        words = []
    if program == "plexsuper" or program in {"scripts/demo", "scripts/deploy"}:
        words = [*({"scripts/demo": ["demo"], "scripts/deploy": ["deploy"]}.get(program, [])), *words]
        if any("|" in word for word in words):  # a list of verbs to choose from
            verbs = next(word for word in words if "|" in word).split("|")
            group: Any = typer.main.get_command(database_app)
            assert set(verbs) <= set(group.commands), page
            return
        parse(words)
        return
    script = ROOT / program
    assert os.access(script, os.X_OK), f"{page}: {program} is no program"
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    text = (
        script.read_text()
        + (ROOT / "tests" / "conftest.py").read_text()
        + (ROOT / "tests" / "lessons.py").read_text()
    )
    assert [option for option in options if option not in text] == [], page
