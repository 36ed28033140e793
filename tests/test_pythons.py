"""Proves that what a later Python refuses, and the one that these tests run with may not, is nowhere in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import plexsuper

SOURCES = sorted(Path(plexsuper.__file__).parent.rglob("*.py"))
STATEMENT = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE)\b")
NUMBERED = re.compile(r"\?\d")


def statements() -> Iterator[tuple[str, str]]:
    """Yield the texts of the product that are SQL, each with the file that it is in."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and STATEMENT.search(node.value)
            ):
                yield path.name, node.value


def test_no_statement_has_numbered_parameters_which_python_3_14_takes_by_name_only():
    found = list(statements())
    assert len(found) > 100
    assert [(name, text) for name, text in found if NUMBERED.search(text)] == []
