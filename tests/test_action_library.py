"""What a run has done to its library: a check whose word is good for the repair, an export that leaves no half archive."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from plexsuper.actions.library import clear_drafts, export, judge, repair
from plexsuper.clients.library.tool import run_tool
from plexsuper.database.archive.draft import draft_of
from plexsuper.database.files import LIBRARY
from plexsuper.errors import DatabaseError
from tests.database_library import reference_library
from tests.plex_databases import overwrite, root_of


async def called_off(archive: Path) -> None:
    """Cancel an export that has begun to write *archive*."""
    async with anyio.create_task_group() as tasks:

        async def endless(verb: str, *arguments: str | Path) -> Any:
            """Write a draft, and go without a word when it is cancelled: as a tool that is killed."""
            assert (verb, arguments[1]) == ("export", archive)
            draft_of(archive).write_bytes(b"half")
            tasks.cancel_scope.cancel()
            await anyio.sleep_forever()

        await export(endless, archive.parent, archive, when="checkpoint")


async def ended_by_a_signal(verb: str, *arguments: str | Path) -> Any:
    """Write a draft, and say what is said of a tool that is killed."""
    draft_of(Path(arguments[1])).write_bytes(b"half")
    raise DatabaseError(f"{verb} was ended by signal 9")


def test_an_export_that_is_cancelled_leaves_no_draft_and_the_older_archive(tmp_path: Path) -> None:
    archive = tmp_path / "home.tar.zst"
    archive.write_bytes(b"older")
    anyio.run(called_off, archive)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"home.tar.zst": b"older"}


def test_an_export_whose_tool_is_killed_leaves_no_draft(tmp_path: Path) -> None:
    archive = tmp_path / "home.tar.zst"

    async def killed() -> None:
        await export(ended_by_a_signal, tmp_path, archive, when="final")

    with pytest.raises(DatabaseError, match="export was ended by signal 9"):
        anyio.run(killed)
    assert list(tmp_path.iterdir()) == []


def test_the_draft_of_an_export_that_goes_on_is_left_to_it(tmp_path: Path) -> None:
    archives = (tmp_path / "one.tar.zst", tmp_path / "two.tar.zst")
    for archive in archives:
        draft_of(archive).write_bytes(b"half")
    with draft_of(archives[0]).open("ab"):
        anyio.run(clear_drafts, *archives)
    assert [draft_of(archive).exists() for archive in archives] == [True, False]


def test_what_has_the_name_of_a_draft_and_is_none_stays(tmp_path: Path) -> None:
    archives = (tmp_path / "one.tar.zst", tmp_path / "two.tar.zst")
    draft_of(archives[0]).mkdir()
    draft_of(archives[1]).symlink_to(tmp_path / "gone")
    anyio.run(clear_drafts, *archives, tmp_path / "three.tar.zst")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_library_is_checked_once_before_its_repair(tmp_path: Path) -> None:
    databases = reference_library(tmp_path)
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "index_media_parts_on_file"))
    said: dict[str, Any] = {}

    async def overheard(verb: str, *arguments: str | Path) -> Any:
        said[verb] = await run_tool(verb, *arguments)
        return said[verb]

    async def mend() -> None:
        judged, reports = await judge(overheard, databases, quick=False)
        assert not judged.healthy
        repaired = await repair(overheard, databases, reports)
        assert repaired.steps
        assert not repaired.losses

    anyio.run(mend)
    assert [report["before"] for report in said["repair"]] == said["check"]
