"""The revival as a whole: on private copies, which take the databases' place when they are complete."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from plexsuper.database.access import readable_uri
from plexsuper.database.btree.wal import read_wal, wal_path
from plexsuper.database.connection import connect_file, reading, require_columns, sqlite_errors
from plexsuper.database.copies.copying import copy_pair
from plexsuper.database.copies.manifest import read_manifest, verify_files
from plexsuper.database.copies.snapshot import Check, describe, snapshot_in
from plexsuper.database.copies.store import BEFORE_REVIVE, MANIFEST, Workshop, workshop
from plexsuper.database.copies.swap import swap_in
from plexsuper.database.files import (
    DatabasePair,
    check_header,
    has_log,
    locate_pair,
    os_errors,
    sync_file,
)
from plexsuper.database.holders import Stamps, require_closed, require_untouched, stamps
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.revive.foreign import finish_foreign, read_index_states, set_aside
from plexsuper.database.revive.marks import clear_marks, find_marks
from plexsuper.database.revive.report import Revived
from plexsuper.database.revive.rows import Inserted, insert_blobs, insert_purged
from plexsuper.database.revive.wanted import count_fates, judge_wanted, list_lost
from plexsuper.errors import DatabaseError
from plexsuper.interrupts import held, now_done

_NEEDED = {
    "library_sections": ("id", "uuid"),
    "metadata_items": (
        "id", "library_section_id", "parent_id", "metadata_type", "guid", "created_at", "deleted_at", "changed_at",
        "media_item_count",
    ),
    "media_items": ("id", "library_section_id", "metadata_item_id", "section_location_id", "created_at", "deleted_at"),
    "media_parts": ("id", "media_item_id", "directory_id", "file", "deleted_at"),
    "media_streams": ("id", "media_item_id", "media_part_id", "stream_type_id"),
}  # fmt: skip
_JUDGED = ("media_items", "media_parts", "media_streams")


def revive_parts(
    databases: Path,
    snapshot: Path,
    parts: Iterable[tuple[int, str]],
    *,
    dry_run: bool = False,
    plex_sqlite: Sequence[str] | None = None,
    check: Check | None = None,
    progress: ProgressCallback | None = None,
) -> Revived:
    """Bring the entries of *parts* (id, file) back into the databases at *databases*. Plex must be stopped.

    *snapshot* is a snapshot's directory or any older sound copy of the same library. Marks of the trash are taken off where the
    rows are there; where they are gone, they come out of the snapshot with their ids and all that hangs on them. Nothing
    that is there is overwritten, and what nobody wants stays trashed or gone. *plex_sqlite* is the command that runs
    `Plex SQLite`, which finishes what only Plex can write. *check* judges the snapshot before and the copies after.
    The old databases become a snapshot, with which `restore_snapshot` undoes it.

    Raises:
        DatabaseError: in use, damaged, of another library, or no space; nothing was changed.
    """
    pair = locate_pair(databases)
    old = locate_pair(snapshot if snapshot.is_file() else snapshot / pair.library.name)
    if dry_run:
        return _foresee(pair, old, parts)
    with workshop(pair.directory) as shop, shop.stage() as stage:
        require_closed(pair)
        for path in (*pair.files, *old.files):
            check_header(path)
        old = _trusted(old, stage, check, progress)
        before = stamps(pair)
        copy_pair(pair, stage, progress=progress)
        drafts = locate_pair(stage / pair.library.name)
        result, blobs = _revive(drafts, old, parts, plex_sqlite, progress)
        if not (result.untrashed or result.reinserted):
            return result
        if check is not None:
            for path in drafts.files[: 1 + blobs]:
                check(path)
        return replace(
            result, snapshot=_take_place(shop, pair, stage, before, blobs=blobs, progress=progress)
        )


def _foresee(pair: DatabasePair, old: DatabasePair, parts: Iterable[tuple[int, str]]) -> Revived:
    """Say what would be done; the rows that would be inserted are not counted."""
    with (
        readable_uri(old.library, read_wal(wal_path(old.library))) as uri,
        sqlite_errors(pair.library),
        reading(pair.library) as conn,
    ):
        conn.execute("ATTACH ? AS old", (uri,))
        _examine(conn, parts)
        find_marks(conn)
        return _report(conn, Inserted())


def _trusted(
    old: DatabasePair, stage: Path, check: Check | None, progress: ProgressCallback | None
) -> DatabasePair:
    """Return the snapshot when it is what its manifest and *check* say; one with a log is copied, to be read without."""
    if (old.directory / MANIFEST).exists():
        verify_files(old.directory, read_manifest(old.directory / MANIFEST), progress)
    elif any(has_log(path) for path in old.files):
        folded = stage / "old"
        with os_errors(f"cannot write in {stage}"):
            folded.mkdir()
        copy_pair(old, folded, progress=progress)
        old = locate_pair(folded / old.library.name)
    if check is not None:
        for path in old.files:
            check(path)
    return old


def _revive(
    drafts: DatabasePair,
    old: DatabasePair,
    parts: Iterable[tuple[int, str]],
    plex_sqlite: Sequence[str] | None,
    progress: ProgressCallback | None,
) -> tuple[Revived, bool]:
    """Change the drafts; return what was done and whether the blobs database has changed."""
    library = drafts.library
    with sqlite_errors(library):
        aside = set_aside(library)
        with _writing(library) as conn:
            _attach(conn, old.library, "old")
            _examine(conn, parts)
            conn.execute("BEGIN")
            inserted = insert_purged(conn, progress)
            find_marks(conn)
            clear_marks(conn)
            conn.execute("COMMIT")
            states = read_index_states(conn, aside)
            blobs = _revive_blobs(conn, drafts, old, inserted)
            result = _report(conn, inserted)
        if progress is not None:
            progress(Progress("bring Plex's own indexes up to date", 0, None, "indexes"))
        notes = finish_foreign(library, old.library, aside, states, inserted, plex_sqlite=plex_sqlite)
        _settle(library)
        if blobs and drafts.blobs:
            _settle(drafts.blobs)
    return replace(result, notes=tuple(notes)), blobs


def _examine(conn: sqlite3.Connection, parts: Iterable[tuple[int, str]]) -> None:
    require_columns(conn, _NEEDED)
    judge_wanted(conn, parts)


def _revive_blobs(
    conn: sqlite3.Connection, drafts: DatabasePair, old: DatabasePair, inserted: Inserted
) -> bool:
    if drafts.blobs is None or old.blobs is None or not inserted.rows:
        return False
    conn.execute("ATTACH ? AS blobs", (f"{drafts.blobs.resolve().as_uri()}?mode=rw",))
    conn.execute("PRAGMA blobs.journal_mode=OFF")
    conn.execute("PRAGMA blobs.synchronous=OFF")
    _attach(conn, old.blobs, "oldblobs")
    conn.execute("BEGIN")
    rows = insert_blobs(conn, inserted)
    conn.execute("COMMIT")
    return rows > 0


def _attach(conn: sqlite3.Connection, path: Path, name: str) -> None:
    conn.execute(f"ATTACH ? AS {name}", (f"{path.resolve().as_uri()}?mode=ro&immutable=1",))


@contextmanager
def _writing(draft: Path) -> Iterator[sqlite3.Connection]:
    """Open a private copy: it needs no journal, because a failure throws it away."""
    with closing(connect_file(draft, "mode=rw")) as conn:
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA synchronous=OFF")
        conn.execute("PRAGMA cache_size=-32768")
        conn.execute("PRAGMA foreign_keys=OFF")
        yield conn


def _report(conn: sqlite3.Connection, inserted: Inserted) -> Revived:
    fates = count_fates(conn)
    return Revived(
        wanted=sum(fates.values()),
        already=fates.get("already", 0),
        untrashed=fates.get("trashed", 0),
        reinserted=fates.get("purged", 0),
        missing=fates.get("lost", 0),
        lost=list_lost(conn),
        rows=inserted.rows,
        renumbered=inserted.renumbered,
    )


def _settle(draft: Path) -> None:
    """Look at the tables that were written, and leave the copy as Plex left the original: ready for its log."""
    with closing(connect_file(draft, "mode=rw")) as conn:
        for table in _JUDGED:
            (verdict,) = conn.execute("SELECT * FROM pragma_quick_check(?)", (table,)).fetchone()
            if verdict != "ok":
                raise DatabaseError(
                    f"the revived copy is damaged ({table}: {verdict}); nothing was changed; check the disk"
                )
        conn.execute("PRAGMA journal_mode=WAL")


def _take_place(
    shop: Workshop,
    pair: DatabasePair,
    stage: Path,
    before: Stamps,
    *,
    blobs: bool,
    progress: ProgressCallback | None,
) -> Path:
    """Put the copies in place; the old databases, still as *before*, become a snapshot without being copied again."""
    if has_log(pair.library) or (pair.blobs and has_log(pair.blobs)):
        snapshot = snapshot_in(shop, pair, reason=BEFORE_REVIVE, progress=progress).path
    else:
        snapshot = shop.new_name(BEFORE_REVIVE)
        with shop.stage() as draft, os_errors(f"cannot write the snapshot {snapshot}"):
            for path in pair.files[: 1 + blobs]:
                (draft / path.name).hardlink_to(path)
            if pair.blobs and not blobs:
                (stage / pair.blobs.name).rename(draft / pair.blobs.name)
            describe(draft, reason=BEFORE_REVIVE, method="kept", progress=progress)
            draft.chmod(0o755)
            draft.rename(snapshot)
            sync_file(snapshot.parent)
    require_untouched(pair, before)
    replaced = pair.files[: 1 + blobs]
    with held():
        swap_in(pair.directory, {path.name: stage / path.name for path in replaced}, stage / "replaced")
        now_done(f"the parts are back in {pair.library}; `plexsuper db restore` undoes it with {snapshot}")
    return snapshot
