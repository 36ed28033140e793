"""Proves that the program understands every command that the documentation names."""

import os
import re
import shlex
from typing import Any

import pytest
import typer

from plexsuper.cli import app
from plexsuper.cli.database import app as database_app
from plexsuper.cli.deploy import app as deploy_app
from tests.doc_pages import ROOT, written

PASSED_ON = {"db": database_app, "deploy": deploy_app}


def parse(words: list[str]) -> None:
    """Let the program's own parser read a command; it raises for what it does not know."""
    group: Any = typer.main.get_command(app)
    if words and words[0] in PASSED_ON:
        inner: Any = typer.main.get_command(PASSED_ON[words[0]])
        if words[1:2] in (["inject"], ["export"]):  # both are paths, so the parser cannot tell them apart
            assert ".tar." not in words[2], words
        words = words[1:]
        if words[:1] == ["deploy"] or not hasattr(inner, "commands"):
            inner.make_context("deploy", words)
            return
        inner.commands[words[0]].make_context(words[0], words[1:])
        return
    command = group.commands.get(words[0]) if words and not words[0].startswith("-") else None
    if command is None:
        known = {option for one in group.params for option in one.opts}
        rest = [word for word in words if word not in known]
        assert not rest or rest[0].startswith("--"), words
        group.commands["run"].make_context("run", rest)
        return
    if inner_group := getattr(command, "commands", None):
        at = next((number for number, word in enumerate(words[1:], 1) if word in inner_group), None)
        if at is not None:
            inner_group[words[at]].make_context(words[at], words[at + 1 :])
            return
    command.make_context(words[0], words[1:], resilient_parsing=False)


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
