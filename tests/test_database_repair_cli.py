"""What `plexsuper db repair` tells a person: what came back, what is empty or lost, and where the damaged file is."""

import json
import os

from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.files import BLOBS, LIBRARY
from tests.database_library import reference_library
from tests.plex_databases import leaves_of, overwrite, root_of


def repair(*arguments):
    result = CliRunner().invoke(app, ["repair", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_rows_made_from_indexes_are_counted_and_their_empty_columns_named(tmp_path):
    databases = reference_library(tmp_path)
    overwrite(databases / LIBRARY, *leaves_of(databases / LIBRARY, "media_parts")[3:5])
    said = repair(databases)
    (line,) = [line for line in said.splitlines() if line.startswith("  media_parts: ")]
    assert line.startswith("  media_parts: 509 of 509 rows are in it; ")
    assert "of them were made from the indexes; columns that are empty now: open_subtitle_hash, " in line
    (kept,) = databases.glob("*-damaged-*")
    assert f"  the damaged one is kept as {kept}" in said
    assert f"{databases / BLOBS}: was sound, nothing was done" in said


def test_pages_of_which_nothing_came_back_are_counted(tmp_path):
    databases = reference_library(tmp_path)
    blobs = databases / BLOBS
    os.truncate(blobs, blobs.stat().st_size - 30 * 1024)
    said = repair(databases)
    assert "rows are in it; the rows of " in said
    assert " pages are lost, nobody knows how many" in said


def test_the_work_directory_may_be_named_and_the_result_be_read_by_a_program(tmp_path):
    databases = reference_library(tmp_path)
    elsewhere = tmp_path / "work"
    elsewhere.mkdir()
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "media_parts"))
    library, blobs = json.loads(repair(databases, "--workdir", elsewhere, "--json"))
    assert (library["changed"], library["after"]["healthy"], blobs["changed"]) == (True, True, False)
    assert library["tables"]["media_parts"]["recovered"] == 509
    assert list(elsewhere.iterdir()) == []
