"""Change every absolute path of a library database when the media moved: proved first, undoable afterwards."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.connection import connect_file, reading, sqlite_errors
from plexsuper.database.copies.copying import copy_pair
from plexsuper.database.copies.snapshot import Check, describe, snapshot_in
from plexsuper.database.copies.store import BEFORE_REMAP, Workshop, workshop
from plexsuper.database.copies.swap import swap_in
from plexsuper.database.files import (
    DatabasePair,
    check_header,
    has_log,
    locate_pair,
    os_errors,
    sync_file,
)
from plexsuper.database.holders import require_closed, require_untouched, stamps
from plexsuper.database.progress import ProgressCallback
from plexsuper.database.remap.mapping import MappingSet
from plexsuper.database.remap.plan import (
    Collision,
    PlaceChange,
    RemapPlan,
    SectionChange,
    plan_remap,
    sample_files,
)
from plexsuper.database.remap.proof import LookUp, MediaRoot, SectionProof, count_hits, look_up_in_child
from plexsuper.database.remap.record import ran_already, write_record
from plexsuper.database.remap.write import apply_remap
from plexsuper.errors import DatabaseError, StorageError
from plexsuper.interrupts import held, now_done

_PROOF_SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapReport:
    """What a remap did, or would do.

    *applied*: the database was changed, and *snapshot* is the directory that `restore_snapshot` undoes it with.
    *already*: these mappings are in effect. *proofs*: every section's sample in storage, when a media root was given.
    """

    applied: bool
    already: bool
    changes: int
    places: tuple[PlaceChange, ...]
    sections: tuple[SectionChange, ...]
    collisions: tuple[Collision, ...]
    unused: tuple[str, ...]
    proofs: tuple[SectionProof, ...]
    snapshot: Path | None

    @property
    def sections_without_hit(self) -> tuple[SectionProof, ...]:
        """The sections of whose sample storage has nothing under the new paths."""
        return tuple(proof for proof in self.proofs if proof.without_hit)


def remap_databases(
    databases: Path,
    mappings: MappingSet,
    *,
    dry_run: bool = False,
    media_root: MediaRoot | None = None,
    look_up: LookUp = look_up_in_child,
    check: Check | None = None,
    progress: ProgressCallback | None = None,
) -> RemapReport:
    """Change the paths in the library at *databases* (a file or its directory). Plex must be stopped.

    The change is made in a private copy, which takes the place of the library when it is complete; the old
    library becomes the snapshot. *check* judges the library before and the copy after. Running it twice is
    as running it once, also for swaps and chains (a note beside the library remembers those).

    Raises:
        DatabaseError: unusable or in use, or two paths would become one; nothing was changed.
        StorageError: the media root does not answer, or has fewer of a section's files under the new paths than
            under the old ones; nothing was changed.
    """
    pair = locate_pair(databases)
    with sqlite_errors(pair.library):
        if dry_run:
            return _report(*_examine(pair, mappings, media_root, look_up, progress))
        with workshop(pair.directory) as shop:
            require_closed(pair)
            check_header(pair.library)
            plan, already, proofs = _examine(pair, mappings, media_root, look_up, progress)
            _refuse(plan, proofs)
            if already or not plan.changes:
                return _report(plan, already, proofs)
            if check is not None:
                check(pair.library)
            snapshot = _carry_out(shop, pair, plan, check, progress)
    return _report(plan, already, proofs, snapshot)


def _examine(
    pair: DatabasePair,
    mappings: MappingSet,
    root: MediaRoot | None,
    look_up: LookUp,
    progress: ProgressCallback | None,
) -> tuple[RemapPlan, bool, tuple[SectionProof, ...]]:
    with reading(pair.library) as conn:
        plan = plan_remap(conn, mappings, called=pair.library, progress=progress)
        already = not mappings.settles and ran_already(conn, pair.library, mappings)
        proofs = _prove(conn, mappings, root, look_up, already=already) if root else ()
    return plan, already, proofs


def _prove(
    conn: sqlite3.Connection, mappings: MappingSet, root: MediaRoot, look_up: LookUp, *, already: bool
) -> tuple[SectionProof, ...]:
    proofs = []
    for section, title in conn.execute("SELECT id, name FROM library_sections ORDER BY id").fetchall():
        half = _PROOF_SAMPLE // 2
        chosen = sample_files(conn, section, half, changed_by=mappings) + sample_files(conn, section, half)
        old = list(dict.fromkeys(chosen))
        new = old if already else [mappings.translate(path) for path in old]
        before, after = count_hits(old, root, look_up), count_hits(new, root, look_up)
        proofs.append(SectionProof(id=section, title=title, sampled=len(old), before=before, after=after))
    return tuple(proofs)


def _refuse(plan: RemapPlan, proofs: tuple[SectionProof, ...]) -> None:
    for collision in plan.collisions:
        one, two = collision.old
        raise DatabaseError(
            f"{len(plan.collisions)} or more paths would collide, e.g. {one!r} and {two!r} would both become"
            f" {collision.new!r} in {collision.place}; nothing was changed (--dry-run lists them)"
        )
    for proof in proofs:
        if (proof.after or 0) < (proof.before or 0):
            raise StorageError(
                f"section {proof.id} ({proof.title}): storage has {proof.before} of {proof.sampled} sampled files under"
                f" their present paths and {proof.after or 0} under the new ones: the mapping is wrong; nothing was changed"
            )


def _carry_out(
    shop: Workshop,
    pair: DatabasePair,
    plan: RemapPlan,
    check: Check | None,
    progress: ProgressCallback | None,
) -> Path:
    with shop.stage() as stage:
        before = stamps(pair)
        copy_pair(pair, stage, progress=progress)
        draft = stage / pair.library.name
        _rewrite(draft, plan, progress)
        if check is not None:
            check(draft)
        snapshot = _keep_old(shop, pair, stage, progress)
        if not plan.mappings.settles:
            with reading(pair.library) as conn:
                write_record(conn, pair.library, plan.mappings)
        require_untouched(pair, before)
        with held():
            swap_in(pair.directory, {pair.library.name: draft}, stage / "replaced")
            now_done(
                f"the paths in {pair.library} are changed; `plexsuper db restore` undoes it with {snapshot}"
            )
    return snapshot


def _rewrite(draft: Path, plan: RemapPlan, progress: ProgressCallback | None) -> None:
    """Change the private copy: it needs no journal, because a failure throws it away."""
    with closing(connect_file(draft, "mode=rw")) as conn:
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA synchronous=OFF")
        conn.execute("PRAGMA cache_size=-65536")
        apply_remap(conn, plan, progress)
        for table in {place.table for place in plan.places} & {"media_parts", "section_locations"}:
            (verdict,) = conn.execute("SELECT * FROM pragma_quick_check(?)", (table,)).fetchone()
            if verdict != "ok":
                raise DatabaseError(
                    f"the remapped copy is damaged ({table}: {verdict}); nothing was changed; check the disk"
                )
        conn.execute("PRAGMA journal_mode=WAL")  # as Plex left it


def _keep_old(shop: Workshop, pair: DatabasePair, stage: Path, progress: ProgressCallback | None) -> Path:
    """Make the old library, which is about to be replaced, a finished snapshot without copying it again."""
    if has_log(pair.library):
        return snapshot_in(shop, pair, reason=BEFORE_REMAP, progress=progress).path
    snapshot = shop.new_name(BEFORE_REMAP)
    with shop.stage() as draft, os_errors(f"cannot write the snapshot {snapshot}"):
        (draft / pair.library.name).hardlink_to(pair.library)
        if pair.blobs:
            (stage / pair.blobs.name).rename(draft / pair.blobs.name)
        describe(draft, reason=BEFORE_REMAP, method="kept", progress=progress)
        draft.chmod(0o755)
        draft.rename(snapshot)
        sync_file(snapshot.parent)
    return snapshot


def _report(
    plan: RemapPlan, already: bool, proofs: tuple[SectionProof, ...], snapshot: Path | None = None
) -> RemapReport:
    return RemapReport(
        applied=snapshot is not None,
        already=already,
        changes=0 if already else plan.changes,
        places=plan.places,
        sections=plan.sections,
        collisions=plan.collisions,
        unused=plan.unused,
        proofs=proofs,
        snapshot=snapshot,
    )
