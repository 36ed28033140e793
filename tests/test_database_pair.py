"""One of the two databases cannot be judged, or not be repaired: the other one is, and both are told of."""

import json

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.files import BLOBS, LIBRARY
from tests.database_library import held_open, library_with_files
from tests.plex_databases import overwrite, root_of

LEFT = {
    "empty": b"",
    "cut off below its header": b"SQLite format 3\0" + bytes(30),
    "no database": b"hello, world" * 400,
}
PAIRS = pytest.mark.parametrize(
    ("bad", "good"), [(LIBRARY, BLOBS), (BLOBS, LIBRARY)], ids=["library", "blobs"]
)


@pytest.fixture
def databases(tmp_path):
    return library_with_files(tmp_path, "/Media/1.mkv")


def run(*arguments, code=5):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@PAIRS
@pytest.mark.parametrize("left", LEFT)
def test_the_check_judges_the_other_one_too(databases, bad, good, left):
    (databases / bad).write_bytes(LEFT[left])
    said = run("check", databases)
    assert f"{databases / good}: sound" in said.stdout
    found = json.loads(run("check", databases, "--json").stdout)
    if left == "empty":  # of nothing there is no verdict
        assert said.stderr.endswith(
            f"plexsuper: {databases / bad} is empty; restore it from a snapshot or one of Plex's dated copies\n"
        )
        assert found["error"].startswith(f"{databases / bad} is empty; restore it")
        assert found["exit_code"] == 5
        found = found["reports"]
    else:
        assert f"{databases / bad}: DAMAGED" in said.stdout
    verdicts = {report["path"]: report["healthy"] for report in found}
    assert verdicts.pop(str(databases / bad), False) is False
    assert verdicts == {str(databases / good): True}


@PAIRS
@pytest.mark.parametrize("left", LEFT)
def test_the_repair_repairs_the_other_one_too_and_says_so(databases, bad, good, left):
    (databases / bad).write_bytes(LEFT[left])
    overwrite(databases / good, root_of(databases / good, "index_media_parts_on_size"))
    found = json.loads(run("repair", databases, "--json").stdout)
    assert str(databases / bad) in found["error"]
    assert found["error"].endswith(f"; {databases / good} is repaired")
    (report,) = found["reports"]
    assert (report["path"], report["changed"], report["after"]["healthy"]) == (
        str(databases / good),
        True,
        True,
    )
    assert (databases / bad).read_bytes() == LEFT[left]
    again = run("repair", databases)
    assert f"{databases / good}: was sound, nothing was done" in again.stdout
    assert f"plexsuper: {databases / bad}" in again.stderr
    assert "is repaired" not in again.stderr


def test_both_are_named_when_both_cannot_be_judged(databases):
    with held_open(databases / LIBRARY):
        (databases / BLOBS).write_bytes(b"")
        found = json.loads(run("check", databases, "--json").stdout)
    assert found["error"].startswith(f"{databases / LIBRARY} is open in process ")
    assert f"; {databases / BLOBS} is empty; " in found["error"]
    assert found["reports"] == []
