"""The pieces of work a check consists of, each for one connection, none needing another's result."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from plexsuper.database.access import SQLITE_ERRORS, explain
from plexsuper.database.crew import Job
from plexsuper.database.report import Finding
from plexsuper.database.schema import Index, Schema, Table
from plexsuper.database.table_checks import (
    Complaint,
    ask_sqlite,
    comparable,
    compare_counts,
    compare_partial_count,
    count_rows,
    duplicates,
    needs_lookups,
    quoted,
    rows_not_found,
    sort_lines,
)

_INDEXES_PER_JOB = 3
_SCHEMA_TABLE = "sqlite_master"

_PARENTS = (
    ("media_items", "metadata_item_id", "metadata_items"),
    ("media_parts", "media_item_id", "media_items"),
    ("media_streams", "media_part_id", "media_parts"),
    ("metadata_items", "parent_id", "metadata_items"),
    ("taggings", "metadata_item_id", "metadata_items"),
    ("taggings", "tag_id", "tags"),
)
"""Child table, its column, parent table: the relations that hold a library together."""


@dataclass(slots=True)
class Verdict:
    """What one job found; *rows* and *orphans* hold what it counted."""

    findings: list[Finding] = field(default_factory=list)
    complaint: Complaint | None = None
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)


def full_jobs(
    conn: sqlite3.Connection, schema: Schema, known: frozenset[str] = frozenset()
) -> list[Job[Verdict]]:
    """Everything that SQLite can judge of *schema*, the biggest pieces first, without the tables *known* to be sound."""
    jobs: list[tuple[int, Job[Verdict]]] = [(0, partial(_judge_table, table=Table(_SCHEMA_TABLE, 1, None)))]
    for table in schema.tables.values():
        if table.name in known:
            continue
        size = _last_row(conn, table) * (len(table.indexes) + 1)
        jobs.append((size, partial(_judge_table, table=table)))
        if needs_lookups(table):
            jobs += [(size, job) for job in _lookup_jobs(table)]
    for child, column, parent in _PARENTS:
        if {child, parent} <= schema.tables.keys() and not {child, parent} <= known:
            jobs.append((0, partial(_count_orphans, child=child, column=column, parent=parent)))
    jobs += [(0, partial(_judge_rtree, name=item.name)) for item in schema.virtual if item.module == "rtree"]
    return [job for _, job in sorted(jobs, key=lambda entry: -entry[0])]


def relation_of(orphans: str) -> frozenset[str]:
    """The two tables of the relation that a check's report calls *orphans*."""
    return frozenset(
        table
        for child, column, parent in _PARENTS
        if f"{child}.{column}" == orphans
        for table in (child, parent)
    )


def quick_jobs(schema: Schema) -> list[Job[Verdict]]:
    """Compare the counts of each table and its indexes: reads everything once, sees most damage, not all."""
    return [partial(_compare_counts, table=table) for table in schema.tables.values()]


def _last_row(conn: sqlite3.Connection, table: Table) -> int:
    if table.without_rowid:
        return 0
    try:
        (last,) = conn.execute(f"SELECT max(rowid) FROM {quoted(table.name)} NOT INDEXED").fetchone()
    except SQLITE_ERRORS:  # the table's own job will say what is wrong
        return 0
    return int(last or 0)


def _lookup_jobs(table: Table) -> Iterator[Job[Verdict]]:
    # A few indexes at a time fit the page cache; all of them at once would push each other out
    indexes = [index for index in table.indexes if comparable(index)]
    for first in range(0, len(indexes), _INDEXES_PER_JOB):
        yield partial(_look_up, table=table, indexes=indexes[first : first + _INDEXES_PER_JOB])
    yield partial(_judge_unique, table=table)


def _judge_table(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict()
    lines = ask_sqlite(conn, table)
    verdict.findings, verdict.complaint = sort_lines(table, lines)
    if table.name == _SCHEMA_TABLE:
        return verdict
    verdict.rows[table.name] = None
    try:
        verdict.rows[table.name] = count_rows(conn, table)
        if lines:
            verdict.findings += _which_indexes(conn, table, {finding.object for finding in verdict.findings})
    except SQLITE_ERRORS as error:
        if not lines:
            verdict.complaint = Complaint(table.name, (explain(error),))
    return verdict


def _which_indexes(conn: sqlite3.Connection, table: Table, named: set[str]) -> Iterator[Finding]:
    """SQLite stops after a hundred complaints; look at the indexes it may not have come to."""
    for index in table.indexes:
        if index.name in named or not comparable(index):
            continue
        try:
            yield from rows_not_found(conn, table, [index])
        except SQLITE_ERRORS as error:
            yield Finding(index.name, "index", "index", f"cannot be searched: {explain(error)}")


def _look_up(conn: sqlite3.Connection, *, table: Table, indexes: list[Index]) -> Verdict:
    verdict = Verdict()
    try:
        verdict.findings = list(rows_not_found(conn, table, indexes))
    except SQLITE_ERRORS as error:
        verdict.complaint = Complaint(table.name, (explain(error),))
    return verdict


def _judge_unique(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict()
    try:
        for index in table.indexes:
            if index.unique and comparable(index):
                verdict.findings += duplicates(conn, table, index)
            if index.partial and comparable(index):
                verdict.findings += compare_partial_count(conn, table, index)
    except SQLITE_ERRORS as error:
        verdict.complaint = Complaint(table.name, (explain(error),))
    return verdict


def _compare_counts(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict(rows={table.name: None})
    try:
        verdict.rows[table.name] = count_rows(conn, table)
        verdict.findings = list(compare_counts(conn, table))
    except SQLITE_ERRORS as error:
        verdict.findings = [Finding(table.name, "table", "data", explain(error))]
    return verdict


def _count_orphans(conn: sqlite3.Connection, *, child: str, column: str, parent: str) -> Verdict:
    query = (
        f"SELECT count(*) FROM {quoted(child)} AS c WHERE c.{quoted(column)} IS NOT NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {quoted(parent)} AS p WHERE p.id = c.{quoted(column)})"
    )
    try:
        (count,) = conn.execute(query).fetchone()
    except SQLITE_ERRORS:  # said by the jobs of the two tables; no count is no count, never 0
        return Verdict()
    return Verdict(orphans={f"{child}.{column}": count})


def _judge_rtree(conn: sqlite3.Connection, *, name: str) -> Verdict:
    try:
        (said,) = conn.execute("SELECT rtreecheck('main', ?)", (name,)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such" in explain(
            error
        ):  # this SQLite has no R-tree module; the tables below it are judged as tables
            return Verdict()
        return Verdict([Finding(name, "rtree", "data", explain(error))])
    except SQLITE_ERRORS as error:
        return Verdict([Finding(name, "rtree", "data", explain(error))])
    if said == "ok":
        return Verdict()
    first, *more = str(said).splitlines()
    return Verdict([Finding(name, "rtree", "data", f"{first} (and {len(more)} more)" if more else first)])
