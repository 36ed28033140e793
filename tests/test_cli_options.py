"""Proves that no option of the command line is forgotten, unexplained or there twice."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from plexsuper.cli import app
from plexsuper.config.load import FLAGS


def commands() -> dict[str, Any]:
    """Return every command by name; the group itself is the empty name."""
    group: Any = typer.main.get_command(app)
    return {"": group, **group.commands}


def options() -> Iterator[tuple[str, str]]:
    """Yield every option of every command with its command."""
    for name, command in commands().items():
        for parameter in command.params:
            for spelling in (*parameter.opts, *parameter.secondary_opts):
                if spelling.startswith("-") and spelling != "--help":
                    yield name, spelling


def words_of_calls() -> list[set[str]]:
    """Return the texts that stand together in one call of the command line in its tests."""
    texts = [Path(__file__).with_name(name).read_text() for name in ("test_cli.py", "test_cli_errors.py")]
    calls = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        {
            inner.value
            for inner in ast.walk(call)
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
        }
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in {"invoke", "plexsuper"}
    ]


@pytest.mark.parametrize("command", ["run", "check", "init", "schema", "demo"])
def test_every_command_explains_itself_and_each_of_its_options(command):
    assert commands()[command].help
    for option in commands()[command].params:
        assert getattr(option, "help", ""), (command, option.name)


@pytest.mark.lesson("L08", "L09", "L10", "L28")
@pytest.mark.parametrize(("command", "option"), list(options()))
def test_every_option_of_every_command_is_tried_by_name(command, option):
    assert any(option in words and (not command or command in words) for words in words_of_calls())


@pytest.mark.lesson("L11")
def test_no_setting_has_two_flags_and_no_option_two_names():
    spellings = [spelling for command, spelling in options() if command == "run"]
    assert len(set(FLAGS.values())) == len(FLAGS)
    assert sorted(spellings) == sorted([*FLAGS.values(), "--config"])
    for name, command in commands().items():
        for parameter in command.params:
            assert len(parameter.opts) + len(parameter.secondary_opts) == 1, (name, parameter.name)
