import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plexsuper.cli import app as everything
from plexsuper.cli.database import app
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.errors import ExitCode
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import (
    files_of,
    held_open,
    library_content,
    library_with_files,
    reference_library,
    tree,
)


@pytest.fixture
def databases(tmp_path):
    return library_with_files(tmp_path, "/Media/TV/1.mkv", "/Media/TVShows/2.mkv", b"/Media/\xff.mkv")


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def run_json(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def test_a_sound_pair_passes_the_check_with_exit_code_0(databases):
    library, blobs = run_json("check", databases)
    assert (library["healthy"], blobs["healthy"]) == (True, True)
    assert (library["path"], blobs["path"]) == (str(databases / LIBRARY), str(databases / BLOBS))
    assert "sound" in run("check", databases / LIBRARY, "--quick").stdout


@pytest.mark.parametrize("name", [LIBRARY, BLOBS])
def test_a_damaged_database_fails_the_check_with_exit_code_5(tmp_path, name):
    databases = reference_library(tmp_path)
    data = bytearray((databases / name).read_bytes())
    data[200 * 1024 :] = bytes(len(data) - 200 * 1024)
    (databases / name).write_bytes(data)
    reports = run_json("check", databases, code=5)
    assert [report["path"].endswith(name) for report in reports] == [
        not report["healthy"] for report in reports
    ]
    assert "DAMAGED" in run("check", databases, code=ExitCode.DATABASE).stdout


def test_repair_leaves_a_sound_database_alone_and_repairs_a_damaged_one(tmp_path):
    databases = reference_library(tmp_path)
    before = tree(databases)
    assert [r["changed"] for r in run_json("repair", databases)] == [False, False]
    assert tree(databases) == before
    root = databases / LIBRARY
    data = bytearray(root.read_bytes())
    with closing(connect_as_plex(root)) as conn:
        (page,) = conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_size'"
        ).fetchone()
    data[(page - 1) * 1024 : page * 1024] = bytes(1024)
    root.write_bytes(data)
    damaged = tree(databases)
    run("repair", databases, "--dry-run", code=5)
    assert tree(databases) == damaged
    assert run_json("repair", databases)[0]["changed"]
    run("check", databases)
    assert len(files_of(databases)) == 509


@pytest.mark.lesson("L06")
def test_statistics_are_shown_whole_and_by_section(databases):
    statistics = run_json("stats", databases)
    assert statistics["total"]["live"] == {
        "artists": 0, "albums": 0, "tracks": 0, "sonic": 0, "movies": 3, "shows": 0, "seasons": 0, "episodes": 0,
        "photos": 0, "photo_albums": 0,
    }  # fmt: skip
    assert statistics["sections"][0]["title"] == "Films"
    assert "1 Films (movie): 3 movies, 3 files, 0 not analysed" in run("stats", databases).stdout


def test_a_remap_is_shown_done_and_undone(databases, tmp_path):
    before = library_content(databases)
    mappings = tmp_path / "path_mappings.json"
    mappings.write_text(json.dumps({"mappings": [{"old": "/Media/TV", "new": "/data/TV"}]}))
    shown = run_json("remap", databases, "--mappings", mappings, "--dry-run")
    assert (shown["applied"], shown["changes"]) == (False, 1)
    assert shown["sections"] == [
        {"id": 1, "title": "Films", "files": 1, "samples": [["/Media/TV/1.mkv", "/data/TV/1.mkv"]]}
    ]
    assert library_content(databases) == before
    done = run_json("remap", databases, "--map", "/Media/TV=/data/TV", "--map", "/Media=/m")
    assert (done["applied"], done["changes"]) == (True, 3)
    assert files_of(databases) == [b"/data/TV/1.mkv", b"/m/TVShows/2.mkv", b"/m/\xff.mkv"]
    diff = run_json("diff", done["snapshot"], databases)
    assert diff["sections"][0]["files"] == {
        "added": 0,
        "removed": 0,
        "trashed": 0,
        "restored": 0,
        "changed": 0,
        "path_changed": 3,
    }
    shown = run("diff", done["snapshot"], databases).stdout
    assert "section 1 Films: items none; files 3 path changed" in shown
    assert r"path changed file 'Film 3' '/Media/\udcff.mkv' → '/m/\udcff.mkv'" in shown
    run("restore", databases)
    assert library_content(databases) == before


def test_a_remap_is_proved_where_a_media_root_is_given(databases, tmp_path):
    target = tmp_path / "storage/TV"
    target.mkdir(parents=True)
    (target / "1.mkv").touch()
    arguments = [
        "remap",
        databases,
        "--map",
        "/Media/TV=/data/TV",
        "--media-root",
        f"/data={tmp_path / 'storage'}",
    ]
    report = run_json(*arguments)
    assert report["proofs"] == [{"id": 1, "title": "Films", "sampled": 3, "before": None, "after": 1}]
    assert report["sections_without_hit"] == []


def test_snapshots_exports_and_injections_work_together(databases, tmp_path):
    before = library_content(databases)
    snapshot = run_json("snapshot", databases)
    run("verify", snapshot["path"])
    archive = tmp_path / "library.tar.zst"
    assert run_json("export", databases, archive)["size"] == archive.stat().st_size
    assert run_json("verify", archive)["databases"] == [LIBRARY, BLOBS]
    config = tmp_path / "new"
    config.mkdir()
    target = config / "Library/Application Support/Plex Media Server/Plug-in Support/Databases"
    assert f"would go to {target}" in run("inject", config, archive, "--dry-run").stdout
    assert list(config.iterdir()) == []
    assert run_json("inject", config, archive)["kept"] is None
    assert library_content(target) == before


def test_an_injection_is_undone_by_a_restore_without_a_name(databases, tmp_path):
    before = library_content(databases)
    other = library_with_files(tmp_path / "other", "/Media/other.mkv")
    run("export", other, tmp_path / "other.tar.zst")
    run("snapshot", databases)
    kept = run_json("inject", databases, tmp_path / "other.tar.zst")["kept"]
    assert files_of(databases) == [b"/Media/other.mkv"]
    assert f"would restore {kept}" in run("restore", databases, "--dry-run").stdout
    assert run_json("restore", databases, "--dry-run") == {"path": kept, "manifest": None, "left": []}
    assert run_json("restore", databases)["restored"] == kept
    assert library_content(databases) == before
    assert run_json("restore", databases)["restored"] == kept
    assert library_content(databases) == before


def test_a_restore_tells_of_the_bundles_that_it_leaves_where_they_are(databases, tmp_path):
    other = library_with_files(tmp_path / "other", "/Media/other.mkv")
    for place, name in ((other, "new"), (databases, "old")):
        (place.parent.parent / "Metadata").mkdir()
        (place.parent.parent / "Metadata" / name).write_bytes(b"poster")
    run("export", other, tmp_path / "other.tar.zst", "--bundles")
    kept = run_json("inject", databases, tmp_path / "other.tar.zst")["kept"]
    metadata = databases.parent.parent / "Metadata"
    note = f"{metadata} is still that of the archive: move it away, then move {kept}/Metadata to its place"
    assert note in run("restore", databases, "--dry-run").stderr
    restored = run("restore", databases, "--json")
    assert note in restored.stderr
    assert json.loads(restored.stdout)["left"] == [f"{kept}/Metadata"]
    assert tree(Path(kept)).keys() >= {"Metadata/old"}


def test_dry_runs_change_nothing(databases):
    snapshot = run_json("snapshot", databases)["path"]
    before = tree(databases.parent)
    run("snapshot", databases, "--dry-run")
    run("restore", databases, "--dry-run")
    run("restore", databases, snapshot, "--dry-run")
    assert tree(databases.parent) == before


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param(["remap", "DB"], 2, "none given", id="no mapping"),
        pytest.param(["remap", "DB", "--map", "x"], 2, "write OLD=NEW", id="half a mapping"),
        pytest.param(["remap", "DB", "--map", "a=/b"], 2, "not an absolute path", id="a relative folder"),
        pytest.param(
            ["remap", "DB", "--mappings", "DB"],
            2,
            "cannot read the mappings",
            id="a directory as mapping file",
        ),
        pytest.param(
            ["remap", "DB", "--map", "/a=/b", "--media-root", "x"], 2, "write DIR", id="a relative media root"
        ),
        pytest.param(["stats", "/nowhere"], 5, "no library database", id="no database"),
        pytest.param(["restore", "DB"], 5, "there is no snapshot", id="no snapshot"),
        pytest.param(["export", "DB", "x.zip"], 2, "name the archive", id="a strange suffix"),
        pytest.param(["verify", "/nowhere.tar.zst"], 5, "No such file", id="no archive"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(databases, arguments, code, complaint):
    before = tree(databases)
    filled = [databases if argument == "DB" else argument for argument in arguments]
    result = run(*filled, code=code)
    assert complaint in result.stderr
    assert "Traceback" not in result.output
    assert run_json(*filled, code=code)["exit_code"] == code
    assert tree(databases) == before


def test_a_library_in_use_is_named(databases):
    with held_open(databases / LIBRARY) as pid:
        for command in (["remap", "--map", "/Media=/m"], ["repair"], ["check"]):
            result = run(command[0], databases, *command[1:], code=5)
            assert str(pid) in result.stderr


def test_progress_goes_to_stderr_and_only_the_result_to_stdout(databases):
    result = run("snapshot", databases)
    assert result.stdout.startswith("snapshot ")
    assert result.stdout.count("\n") == 1
    assert "checksum" in result.stderr


def test_the_command_line_does_not_load_zstd_or_the_page_readers():
    code = "import sys, plexsuper.cli.database; print([m for m in sys.modules if 'zstd' in m or m.endswith('.repair') or m.endswith('database.check')])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["db", "stats"], "Missing argument 'FILE'.", id="no file"),
        pytest.param(["db", "diff", "a"], "Missing argument 'B'.", id="half of the files"),
        pytest.param(["db", "stats", "--bogus", "x"], "No such option: --bogus", id="an unknown option"),
        pytest.param(["db", "bogus"], "No such command 'bogus'.", id="an unknown command"),
        pytest.param(["deploy", "x.tar.zst"], "Missing argument 'TARGET'.", id="no target"),
        pytest.param(
            ["deploy", "x.tar.zst", "y", "--container", "plex", "--stop", "x"],
            "--container brings its own --stop and --start: give it or them",
            id="options that exclude each other",
        ),
    ],
)
def test_wrong_usage_is_said_as_json_where_json_is_asked_for(arguments, complaint):
    plain = CliRunner().invoke(everything, arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert complaint in plain.stderr
    asked = CliRunner().invoke(everything, [*arguments, "--json"])
    assert asked.exit_code == 2
    assert asked.stderr == plain.stderr
    assert json.loads(asked.stdout) == {"error": complaint, "exit_code": 2}
