"""Plex, or another plexsuper, is at the databases while a deed prepares their successors: nothing of that is undone."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from plexsuper.database.archive.inject import inject_archive
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.copies.snapshot import restore_snapshot, take_snapshot
from plexsuper.database.files import LIBRARY
from plexsuper.database.progress import Progress
from plexsuper.database.remap.deed import remap_databases
from plexsuper.database.remap.mapping import make_mappings
from plexsuper.database.repair import repair_database
from plexsuper.database.revive.deed import revive_parts
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import add_film, ask, content, held_open, library_with_files
from tests.plex_databases import overwrite, root_of

FILES = [f"/Media/{number}.mkv" for number in range(30)]
MAPPINGS = make_mappings([("/Media", "/Elsewhere")])


def after(judged: int, deed: Callable[[], object]) -> Callable[[Path], None]:
    """Return a check that does *deed* when it has been asked about so many databases, once."""
    seen: list[Path] = []

    def check(path: Path) -> None:
        seen.append(path)
        if len(seen) == judged + 1:
            deed()

    return check


def plex_runs(databases: Path) -> None:
    """Let Plex start, add a film, and stop again."""
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        add_film(conn, 1000, "/Media/meanwhile.mkv")


def has_the_film(databases: Path) -> bool:
    return ask(
        databases / LIBRARY, "SELECT count(*) FROM media_parts WHERE file = '/Media/meanwhile.mkv'"
    ) == [(1,)]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return library_with_files(tmp_path, *FILES)


def test_what_plex_has_written_while_paths_were_changed_in_a_copy_stays(library):
    with pytest.raises(DatabaseError, match="was changed while it was worked on"):
        remap_databases(library, MAPPINGS, check=after(1, lambda: plex_runs(library)))
    assert has_the_film(library)
    assert remap_databases(library, MAPPINGS).changes == 31


def test_what_plex_has_written_while_parts_were_revived_in_a_copy_stays(library, tmp_path):
    old = take_snapshot(library, tmp_path / "old").path
    with closing(connect_as_plex(library / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET deleted_at = 1 WHERE file = '/Media/3.mkv'")
    (part,) = ask(library / LIBRARY, "SELECT id, file FROM media_parts WHERE deleted_at IS NOT NULL")
    with pytest.raises(DatabaseError, match="was changed while it was worked on"):
        revive_parts(library, old, [part], check=after(2, lambda: plex_runs(library)))
    assert has_the_film(library)
    assert revive_parts(library, old, [part]).untrashed == 1


@pytest.mark.parametrize("who", ["plex", "restore"])
def test_what_was_written_or_put_in_place_during_a_repair_is_not_replaced_by_its_result(
    library, tmp_path, who
):
    old = take_snapshot(library, tmp_path / "old").path
    overwrite(library / LIBRARY, root_of(library / LIBRARY, "index_taggings_on_tag_id"))

    def meanwhile(step: Progress) -> None:
        if step.step == "repair: swap":
            plex_runs(library) if who == "plex" else restore_snapshot(old, library)

    with pytest.raises(DatabaseError, match="was changed while it was repaired"):
        repair_database(library / LIBRARY, progress=meanwhile)
    if who == "plex":
        assert has_the_film(library)
    else:
        assert content(library / LIBRARY) == content(old / LIBRARY)
    assert not list(library.glob("*-damaged-*"))


def test_an_archive_is_not_put_in_the_place_of_databases_that_plex_has_opened_while_it_was_unpacked(
    library, tmp_path
):
    archive = export_archive(library, tmp_path / "a.tar.zst").path
    with ExitStack() as stack:
        started = after(0, lambda: stack.enter_context(held_open(library / LIBRARY)))
        with pytest.raises(DatabaseError, match="is in use by process"):
            inject_archive(archive, library, check=started)
    assert inject_archive(archive, library).kept is not None
