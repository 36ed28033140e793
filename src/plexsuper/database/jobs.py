"""The pieces of work a check consists of, each for one connection, none needing another's result."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from plexsuper.database.common_keys import CommonKey, guess_common_keys, proved_indexes
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.crew import Job
from plexsuper.database.orphans import Relation, count_orphans, relations
from plexsuper.database.page_tally import each_page_has_one_owner
from plexsuper.database.pages import PageSource
from plexsuper.database.passes import fit_for_passes
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

_STRUCTURE, _LIST, _LOOK_UP, _DISTINCT, _PARENT, _PAGE = 12, 1, 4, 3, 1, 40
"""What a row (or a page) costs in each kind of job, by measurement, in tenths of a microsecond: for an even end."""


@dataclass(slots=True)
class Verdict:
    """What one job found; *rows* and *orphans* hold what it counted, *pages_proved* is true when each page has one owner."""

    findings: list[Finding] = field(default_factory=list)
    complaint: Complaint | None = None
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    pages_proved: bool = False


_Estimated = tuple[int, Job[Verdict]]


@dataclass(slots=True)
class Plan:
    """What a full check does: *jobs* that keep SQLite busy, the longest first, and *passes* that keep Python busy.

    Two threads that both do the latter would only wait for each other.
    """

    jobs: list[Job[Verdict]]
    passes: list[tuple[Table, list[Index]]]


def full_plan(
    conn: sqlite3.Connection, source: PageSource, schema: Schema, known: frozenset[str] | None
) -> Plan:
    """Everything that can be judged of *schema* without the tables *known* to be sound; `None`: judge the pages, too."""
    jobs: list[_Estimated] = [(0, partial(_judge_table, table=Table(_SCHEMA_TABLE, 1, None)))]
    if known is None:
        jobs.append((source.page_count * _PAGE, partial(_tally, source=source, schema=schema)))
    known = known or frozenset()
    passes = []
    for table in schema.tables.values():
        if table.name not in known:
            last = _last_row(conn, table)
            by_pass = [index for index in table.indexes if _read_in_order(conn, table, index, last)]
            passes += [(table, by_pass)] if by_pass else []
            jobs += _table_jobs(conn, table, last, {index.name for index in by_pass})
    for relation in relations(schema):
        if not {relation.child, relation.parent} <= known:
            size = _last_row(conn, schema.tables[relation.child]) * _PARENT
            jobs.append((size, partial(_count_orphans, relation=relation)))
    jobs += [(0, partial(_judge_rtree, name=item.name)) for item in schema.virtual if item.module == "rtree"]
    return Plan([job for _, job in sorted(jobs, key=lambda entry: -entry[0])], passes)


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


def _read_in_order(conn: sqlite3.Connection, table: Table, index: Index, last: int) -> bool:
    if not index.plain or index.partial or table.without_rowid:
        return False
    return bool(index.custom_collation) or (needs_lookups(table) and fit_for_passes(conn, table, index, last))


def _table_jobs(conn: sqlite3.Connection, table: Table, last: int, done: set[str]) -> Iterator[_Estimated]:
    if not needs_lookups(table):
        yield last * (_STRUCTURE + _LOOK_UP * len(table.indexes)), partial(_judge_table, table=table)
        return
    yield last * _STRUCTURE, partial(_judge_table, table=table)
    indexes = [index for index in table.indexes if comparable(index) and index.name not in done]
    keys = guess_common_keys(conn, table, indexes, last)
    if keys:
        yield last * _LIST * (len(keys) + 2), partial(_compare_lists, table=table, keys=keys)
        listed = {key.index.name for key in keys}
        indexes = [index for index in indexes if index.name not in listed]
    # A few indexes at a time fit the page cache; all of them at once would push each other out
    for first in range(0, len(indexes), _INDEXES_PER_JOB):
        some = indexes[first : first + _INDEXES_PER_JOB]
        yield last * _LOOK_UP * len(some), partial(look_up, table=table, indexes=some)
    special = [index for index in table.indexes if comparable(index) and (index.unique or index.partial)]
    if special:
        yield last * _DISTINCT * len(special), partial(_judge_special, table=table, indexes=special)


def _judge_table(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict()
    lines = ask_sqlite(conn, table)
    verdict.findings, verdict.complaint = sort_lines(table, lines)
    if table.name == _SCHEMA_TABLE:
        return verdict
    verdict.rows[table.name] = None
    try:
        verdict.rows[table.name] = count_rows(conn, table)
        if lines and not needs_lookups(table):
            verdict.findings += _which_indexes(conn, table, {finding.object for finding in verdict.findings})
    except SQLITE_ERRORS as error:
        if not lines:
            verdict.complaint = Complaint(table.name, (explain(error),))
    return verdict


def _which_indexes(conn: sqlite3.Connection, table: Table, named: set[str]) -> Iterator[Finding]:
    """SQLite stops after a hundred complaints; look at the indexes it may not have come to."""
    return _each_alone(conn, table, [i for i in table.indexes if i.name not in named and comparable(i)])


def _each_alone(conn: sqlite3.Connection, table: Table, indexes: list[Index]) -> Iterator[Finding]:
    for index in indexes:
        try:
            yield from rows_not_found(conn, table, [index])
        except SQLITE_ERRORS as error:
            yield Finding(index.name, "index", "index", f"cannot be searched: {explain(error)}")


def look_up(conn: sqlite3.Connection, *, table: Table, indexes: list[Index]) -> Verdict:
    """Look each row of *table* up in each of *indexes*."""
    try:
        return Verdict(list(rows_not_found(conn, table, indexes)))
    except SQLITE_ERRORS as error:
        complaint = Complaint(table.name, (explain(error),))
    return Verdict(list(_each_alone(conn, table, indexes)), complaint)


def _compare_lists(conn: sqlite3.Connection, *, table: Table, keys: list[CommonKey]) -> Verdict:
    try:
        proved = {index.name for index in proved_indexes(conn, table, keys)}
    except SQLITE_ERRORS:  # looking the rows up will say which index it is
        proved = set()
    indexes = [key.index for key in keys if key.index.name not in proved]
    return look_up(conn, table=table, indexes=indexes) if indexes else Verdict()


def _tally(conn: sqlite3.Connection, *, source: PageSource, schema: Schema) -> Verdict:
    return Verdict(pages_proved=each_page_has_one_owner(source, conn, schema))


def _judge_special(conn: sqlite3.Connection, *, table: Table, indexes: list[Index]) -> Verdict:
    verdict = Verdict()
    try:
        for index in indexes:
            if index.unique:
                verdict.findings += duplicates(conn, table, index)
            if index.partial:
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


def _count_orphans(conn: sqlite3.Connection, *, relation: Relation) -> Verdict:
    try:
        return Verdict(orphans={relation.name: count_orphans(conn, relation)})
    except SQLITE_ERRORS:  # said by the jobs of the two tables; no count is no count, never 0
        return Verdict()


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
