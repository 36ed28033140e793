"""Take a copy of the library before Plex may hurt it, and bring out of it what was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from plexsuper.clients.library.tool import DatabaseTools
from plexsuper.database.revive.report import LostPart, Revived
from plexsuper.database.revive.wanted import write_wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A snapshot of both databases: its directory, how it was copied (reflink, copy or backup), and its bytes."""

    path: Path
    method: str
    size: int


async def snapshot(tools: DatabaseTools, databases: Path, into: Path | None = None) -> Taken:
    """Copy the databases with checksums, whether Plex runs or not; *into* is a new directory for it.

    Raises:
        DatabaseError: not readable, or no space; nothing is left behind.
    """
    taken = await tools("snapshot", databases, *(("--into", into) if into is not None else ()))
    manifest = taken["manifest"]
    return Taken(
        path=Path(taken["path"]),
        method=manifest["method"],
        size=sum(file["size"] for file in manifest["files"]),
    )


async def revive(
    tools: DatabaseTools,
    databases: Path,
    snapshot: Path,
    lost: Sequence[LostPart],
    *,
    check: bool = True,
    plex_sqlite: str | None = None,
) -> Revived:
    """Bring the parts *lost* back into the databases of a stopped Plex, out of *snapshot* where their rows are gone.

    *check*: judge the snapshot before and the databases after, which takes longer than the deed. *plex_sqlite* is the command
    that runs `Plex SQLite`, which makes the titles that came back searchable at once.

    Raises:
        DatabaseError: in use, damaged, or no space; the databases are as before.
    """
    async with anyio.TemporaryDirectory(prefix="plexsuper-revive-") as scratch:
        parts = Path(scratch) / "parts.jsonl"
        await anyio.to_thread.run_sync(write_wanted, parts, lost)
        options = [
            *(() if check else ("--no-check",)),
            *(("--plex-sqlite", plex_sqlite) if plex_sqlite else ()),
        ]
        done = await tools("revive", databases, snapshot, parts, *options)
    return Revived(
        wanted=done["wanted"],
        already=done["already"],
        untrashed=done["untrashed"],
        reinserted=done["reinserted"],
        missing=done["missing"],
        lost=tuple(LostPart(**part) for part in done["lost"]),
        rows=done["rows"],
        renumbered=done["renumbered"],
        notes=tuple(done["notes"]),
        snapshot=Path(done["snapshot"]) if done["snapshot"] else None,
    )
