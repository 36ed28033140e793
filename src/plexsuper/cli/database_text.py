"""The results of `plexsuper db` as lines for people."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from plexsuper.cli.database_output import say
from plexsuper.database.diff.changes import ChangeCounts, LibraryDiff, SectionDiff
from plexsuper.database.remap.deed import RemapReport
from plexsuper.database.remap.plan import SectionChange
from plexsuper.database.statistics import Figures, LibraryStatistics

if TYPE_CHECKING:  # these modules cost start-up time
    from plexsuper.database.check.report import CheckReport
    from plexsuper.database.repair import RepairReport, TableRepair

_MAY_BE_LOST = " (rows may be lost)"


def _figures(figures: Figures) -> str:
    kinds = (
        (f.name, getattr(figures.live, f.name), getattr(figures.trashed, f.name))
        for f in fields(figures.live)
    )
    shown = [
        f"{live} {_words(name)}" + (f" (+{trash} trashed)" if trash else "")
        for name, live, trash in kinds
        if live or trash
    ]
    return ", ".join([*shown, f"{figures.live_parts} files", f"{figures.unanalysed} not analysed"])


def statistics_lines(statistics: LibraryStatistics) -> Iterator[str]:
    """Show a count of the library."""
    yield f"library: {_figures(statistics.total)}"
    for section in statistics.sections:
        yield f"{section.id} {section.title} ({section.type}): {_figures(section.figures)}"


def _section(section: SectionChange | SectionDiff) -> str:
    return f"section {section.id} {section.title}".rstrip() if section.id else "in no section"


def remap_lines(report: RemapReport, *, dry_run: bool) -> Iterator[str]:
    """Show what a remap did, or would do if it were no *dry_run*."""
    for place in report.places:
        yield f"{place.table}.{place.column}: {place.rows} rows"
    for section in report.sections:
        yield f"{_section(section)}: {section.files} files"
        yield from (f"  {old!r} → {new!r}" for old, new in section.samples)
    for collision in report.collisions:
        yield f"COLLISION in {collision.place}: {collision.old[0]!r}, {collision.old[1]!r} → {collision.new!r}"
    yield from (f"nothing is in {folder!r}" for folder in report.unused)
    for proof in report.proofs:
        yield f"section {proof.id} {proof.title}: of {proof.sampled} sampled files storage has {proof.before} now, {proof.after} then"
    for proof in report.sections_without_hit:
        say(f"warning: storage has no sampled file of section {proof.id} ({proof.title})")
    if report.applied:
        yield f"{report.changes} values changed; undo with `plexsuper db restore`; snapshot: {report.snapshot}"
    elif report.already:
        yield "already in effect; nothing was changed"
    elif dry_run and not report.collisions:
        yield f"{report.changes} values would change; nothing was changed (--dry-run)"
    else:
        yield "nothing was changed"


def _counts(counts: ChangeCounts) -> str:
    shown = [f"{getattr(counts, f.name)} {_words(f.name)}" for f in fields(counts) if getattr(counts, f.name)]
    return ", ".join(shown) or "none"


def _words(name: str) -> str:
    return name.replace("_", " ")


def diff_lines(result: LibraryDiff) -> Iterator[str]:
    """Show the differences of two libraries."""
    for section in result.sections:
        yield f"{_section(section)}: items {_counts(section.items)}; files {_counts(section.files)}"
    for entry in result.entries:
        before = f" {entry.was!r} →" if entry.was else ""
        path = f" {entry.path!r}" if entry.path else ""
        yield f"{_words(entry.change.value)} {entry.kind} {entry.title!r}{before}{path}"
    if result.empty:
        yield "no difference"
    elif not result.complete:
        yield "… and more (raise --limit)"


def check_lines(reports: Iterable["CheckReport"]) -> Iterator[str]:
    """Show what a check found."""
    for report in reports:
        yield f"{report.path}: {'sound' if report.healthy else 'DAMAGED'} ({report.pages} pages)"
        yield from (
            f"  {f.kind} {f.object}: {f.message}{_MAY_BE_LOST * (f.damage == 'data')}"
            for f in report.findings
        )
        unjudged: dict[str, list[str]] = {}
        for item in report.unjudged:
            unjudged.setdefault(item.why, []).append(item.object)
        yield from (f"  not judged: {', '.join(names)}: {why}" for why, names in unjudged.items())
        yield from (f"  {count} orphans: {name}" for name, count in report.orphans.items() if count)
        yield from (f"  {note}" for note in report.notes)


def _rescued(table: "TableRepair") -> str:
    whole = f"{table.recovered} rows" if table.before is None else f"{table.recovered} of {table.before} rows"
    said = [f"{whole} are in it"]
    if table.rebuilt:
        empty = ", ".join(table.lost_columns) or "none"
        said.append(
            f"{table.rebuilt} of them were made from the indexes; columns that are empty now: {empty}"
        )
    if table.derived and (table.lost or table.lost_pages):
        said.append("what was lost of it is made anew from elsewhere")
        return "; ".join(said)
    if table.lost:
        said.append(f"{table.lost} rows are lost")
    if table.lost_pages:
        said.append(f"the rows of {len(table.lost_pages)} pages are lost, nobody knows how many")
    return "; ".join(said)


def repair_lines(reports: Iterable["RepairReport"]) -> Iterator[str]:
    """Show what a repair did."""
    for report in reports:
        done = "repaired, and nothing is lost" if not report.losses else "repaired, but not all came back"
        yield f"{report.path}: {done if report.changed else 'was sound, nothing was done'}"
        yield from (f"  step: {step}" for step in report.steps)
        yield from (f"  {name}: {_rescued(table)}" for name, table in report.tables.items())
        yield from (f"  index made anew: {name}" for name in report.indexes)
        yield from (f"  {name}: {state}" for name, state in report.states.items())
        yield from (f"  {note}" for note in report.notes)
        if report.kept:
            yield f"  the damaged one is kept as {report.kept}"
        yield from (f"LOST in {report.path.name}: {loss}" for loss in report.losses)
