"""Proves that a run of days does not begin when its archive cannot be read, or the one at its end cannot be written."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from plexsuper.actions.preflight import examine
from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.library.archive import ArchiveSeen, look_at_archive
from plexsuper.config import Settings
from plexsuper.config.tables.library import ARCHIVES
from plexsuper.database.archive.compression import is_zstd
from plexsuper.database.archive.writer import export_archive
from tests.database_library import reference_library
from tests.test_preflight import DOWN, GIB, HOST, SEEN, faults, place, settings
from tests.test_preflight_look import looking

ARCHIVE = ArchiveSeen(path=Path("/in/library.tar.zst"), size=2 * GIB, unpacked=9 * GIB)
FRESH = replace(SEEN, server=DOWN, library=None, archive=ARCHIVE)
INJECTING = {"plex": {"command": "plex"}, "library": {"archive": "/in/library.tar.zst"}}
HERE = replace(HOST, command="/bin/plex")


def about(subject: str, wanted: Settings, seen: Seen) -> list[tuple[str, str]]:
    found = judge(wanted, seen)
    assert all(finding.remedy for finding in found if finding.severity != "ok")
    return [(finding.severity, finding.message) for finding in found if finding.subject == subject]


def test_an_archive_that_is_there_will_be_put_in_place():
    assert about("library.archive", settings(**INJECTING), replace(FRESH, host=HERE)) == [
        ("ok", "/in/library.tar.zst (2.0 GiB) will be put in place")
    ]
    ((_, library),) = about("library", settings(**INJECTING), replace(FRESH, host=HERE))
    assert library.endswith("com.plexapp.plugins.library.db: that of library.archive is put there")


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"archive": replace(ARCHIVE, problem="cannot read it")}, "error", "cannot read it"),
        ({"server": SEEN.server}, "error", "can be put in place only while Plex does not run"),
        (
            {"host": replace(HERE, config=place("/plex", free=5 * GIB))},
            "error",
            "unpacks to 9.0 GiB, and 5.0 GiB are free beside the library",
        ),
        ({"library": SEEN.library}, "warning", "takes the place of the library that is there"),
        (
            {"library": SEEN.library, "archive": replace(ARCHIVE, outdated=True)},
            "error",
            "is older than what a run has written to library.export",
        ),
        ({"archive": replace(ARCHIVE, outdated=True)}, "ok", "will be put in place"),
        ({"archive": replace(ARCHIVE, problem="gone"), "injected": True}, "ok", "is in place already"),
    ],
    ids=[
        "unreadable",
        "Plex runs",
        "no room",
        "a library is there",
        "a run has ended with it",
        "a new machine",
        "a run that goes on",
    ],
)
def test_what_an_archive_would_do_is_told_before(changes, severity, words):
    ((found, message),) = about(
        "library.archive", settings(**INJECTING), replace(FRESH, **{"host": HERE, **changes})
    )
    assert found == severity
    assert words in message


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({}, "ok", "/out/library-new.tar.zst, 50.0 GiB free"),
        ({"exists": False, "readable": False}, "error", "/out does not exist"),
        ({"writable": False}, "error", "/out cannot be written"),
        ({"free": 1024}, "warning", "0.0 GiB free in /out"),
        ({"free": 5 * GIB}, "warning", "5.0 GiB free in /out, and the databases have 9.0 GiB"),
    ],
    ids=["good", "missing", "read-only", "full", "narrow"],
)
def test_where_the_library_is_written_to_is_looked_at_before_days_have_passed(changes, severity, words):
    wanted = settings(library={"export": "/out/library-new.tar.zst"})
    seen = replace(SEEN, export=place("/out", **changes), databases=9 * GIB)
    ((found, message),) = about("library.export", wanted, seen)
    assert found == severity
    assert words in message


def test_room_for_the_copies_of_a_run_is_missed_before_it_begins():
    narrow = replace(SEEN, host=replace(HOST, config=place("/plex", free=20 * GIB)), databases=15 * GIB)
    (told,) = faults(settings(), narrow)
    assert told.startswith(
        "warning library: a run copies the databases and may need 30.0 GiB beside them; 20.0 GiB are free"
    )
    assert faults(settings(guard={"snapshot": False}), narrow) == []


def test_the_beginning_of_an_archive_says_how_much_it_unpacks_to(tmp_path):
    databases = reference_library(tmp_path)
    written = export_archive(databases, tmp_path / "library.tar.zst")
    seen = look_at_archive(written.path)
    assert seen.problem == ""
    assert seen.size == written.size
    assert seen.unpacked == sum(record.size for record in written.manifest.files)
    export = tmp_path / "library-new.tar.zst"
    assert not look_at_archive(written.path, export).outdated
    export.touch()
    os.utime(written.path, (1_000_000_000, 1_000_000_000))
    assert look_at_archive(written.path, export).outdated
    os.utime(export, (999_999_999, 999_999_999))
    assert not look_at_archive(written.path, export).outdated


def test_what_is_no_archive_is_told_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tar.zst")
    (tmp_path / "text.tar.gz").write_text("not an archive")
    (tmp_path / "short.tar.gz").write_bytes(gzip.compress(b"x" * 5000)[:20])
    assert look_at_archive(tmp_path / "pipe.tar.zst").problem.endswith("is not a file")
    assert "No such file" in look_at_archive(tmp_path / "missing.tar.zst").problem
    assert "neither zstd nor gzip" in look_at_archive(tmp_path / "text.tar.gz").problem
    assert "damaged or cut off" in look_at_archive(tmp_path / "short.tar.gz").problem


async def test_check_looks_at_both_archives(tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media/film.mkv").write_text("x")
    wanted = Settings(
        plex={"url": "http://127.0.0.1:1", "config_dir": tmp_path / "plex", "command": "sleep 1"},
        media={"path": tmp_path / "media"},
        state_dir=tmp_path / "state",
        library={"archive": tmp_path / "in.tar.zst", "export": tmp_path / "out/new.tar.zst"},
    )
    async with looking(wanted) as probe:
        found = {finding.subject: finding for finding in await examine(wanted, probe=probe)}
    assert found["library.archive"].severity == "error"
    assert "in.tar.zst" in found["library.archive"].message
    assert found["library.export"].message == f"{tmp_path}/out does not exist"


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_each_name_that_the_settings_take_is_one_that_an_archive_is_written_to(suffix):
    assert is_zstd(Path(f"library{suffix}")) in {True, False}
