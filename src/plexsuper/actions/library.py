"""Put a library in place, see that it is sound, and bring it out again, verified; Plex does not run meanwhile."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import anyio.to_thread

from plexsuper.clients.library.tool import DatabaseTools
from plexsuper.database.archive.draft import remove_abandoned_drafts
from plexsuper.errors import DatabaseError
from plexsuper.events import LibraryExported, LibraryInjected, LibraryJudged, LibraryRepaired

_GOODBYE: Final = 1.0
"""Seconds that the draft of an archive may take to be removed."""


async def inject(tools: DatabaseTools, archive: Path, databases: Path) -> LibraryInjected:
    """Put the library of *archive* in place of what is in *databases*, which is kept; verified before (F07)."""
    done = await tools("inject", databases, archive)
    return LibraryInjected(archive=str(archive), kept=str(done.get("kept") or ""))


async def judge(tools: DatabaseTools, databases: Path, *, quick: bool) -> tuple[LibraryJudged, Sequence[Any]]:
    """Check both databases without touching them (lessons L30, L31); also return what the check has said, for `repair`."""
    began = time.monotonic()
    reports = await tools("check", databases, *(("--quick",) if quick else ()))
    findings = tuple(
        f"{finding['object']}: {finding['message']}" for report in reports for finding in report["findings"]
    )
    judged = LibraryJudged(
        healthy=not findings,
        findings=findings[:20],
        more=max(0, len(findings) - 20),
        seconds=time.monotonic() - began,
    )
    return judged, reports


async def repair(tools: DatabaseTools, databases: Path, checked: Sequence[Any]) -> LibraryRepaired:
    """Repair what is damaged, on a copy that takes its place when it is sound; the damaged pair is kept (L48).

    What is *checked* already (see `judge`) is not checked again before, as long as nobody has changed it.

    Raises:
        DatabaseError: it could not be repaired; the original is as it was.
    """
    async with anyio.TemporaryDirectory(prefix="plexsuper-repair-") as scratch:
        report = anyio.Path(scratch) / "checked.json"
        await report.write_text(json.dumps(checked), encoding="ascii")
        done = await tools("repair", databases, "--checked", Path(report))
    reports = [report for report in done if report["changed"]]
    if not reports:
        raise DatabaseError(
            f"{databases}: damaged, and the repair changed nothing; look at `plexsuper db check`"
        )
    return LibraryRepaired(
        steps=tuple(dict.fromkeys(step for report in reports for step in report["steps"])),
        losses=tuple(loss for report in reports for loss in report["losses"]),
        kept=tuple(str(report["kept"]) for report in reports if report["kept"]),
    )


async def export(
    tools: DatabaseTools, databases: Path, archive: Path, *, when: Literal["checkpoint", "final"]
) -> LibraryExported:
    """Write the databases to one archive, verified before it takes its name; works on a running Plex as well (F04)."""
    began = time.monotonic()
    try:
        written: dict[str, Any] = await tools(
            "export", databases, archive, *(("--no-check",) if when == "checkpoint" else ())
        )
    finally:
        with anyio.move_on_after(_GOODBYE, shield=True):
            await clear_drafts(archive)
    return LibraryExported(
        archive=str(archive), size=int(written["size"]), when=when, seconds=time.monotonic() - began
    )


async def clear_drafts(*archives: Path) -> None:
    """Remove what exports of *archives* have left that were killed, as the tools are when they are cancelled."""
    if archives:
        await anyio.to_thread.run_sync(remove_abandoned_drafts, archives, abandon_on_cancel=True)
