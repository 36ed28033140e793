"""The list of removals is for its owner's eyes, whole or not at all."""

import json
from pathlib import Path

import pytest

from plexsuper.clients.removal_report import write_removals
from plexsuper.errors import StateError
from plexsuper.terms import Removal, SectionRef

FILMS = SectionRef(id=1, title="Films")
ONE = Removal(part=7, title="Été", file="/m/caf\udce9\n/Été.mkv", fate="confirmed")
TWO = Removal(part=8, title="Two", file="/m/Two.mkv", fate="lost")


def test_every_removal_is_a_line_with_its_section_title_file_and_fate(tmp_path: Path) -> None:
    path = tmp_path / "run" / "removals.jsonl"
    assert write_removals(path, [(FILMS, ONE), (FILMS, TWO)]) == 2
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "section": {"id": 1, "title": "Films"},
            "part": 7,
            "title": "Été",
            "file": "/m/caf\udce9\n/Été.mkv",
            "fate": "confirmed",
        },
        {
            "section": {"id": 1, "title": "Films"},
            "part": 8,
            "title": "Two",
            "file": "/m/Two.mkv",
            "fate": "lost",
        },
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert write_removals(path, []) == 0
    assert [(file.name, file.read_text()) for file in path.parent.iterdir()] == [("removals.jsonl", "")]


def test_a_list_that_cannot_be_finished_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "removals.jsonl"
    write_removals(path, [(FILMS, TWO)])
    before = path.read_text()
    (tmp_path / "removals.jsonl.tmp").mkdir()
    with pytest.raises(StateError, match=r"the list of removals .*removals.jsonl cannot be written"):
        write_removals(path, [(FILMS, ONE)])
    assert path.read_text() == before


def test_a_draft_that_anybody_could_read_is_not_written_to(tmp_path: Path) -> None:
    draft = tmp_path / "removals.jsonl.tmp"
    draft.write_text("left by a killed run")
    draft.chmod(0o644)
    write_removals(tmp_path / "removals.jsonl", [(FILMS, ONE)])
    assert (tmp_path / "removals.jsonl").stat().st_mode & 0o777 == 0o600
