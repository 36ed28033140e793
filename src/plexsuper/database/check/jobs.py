"""The pieces of work a check consists of, each for one connection, none needing another's result."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator
from functools import partial

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.common_keys import CommonKey, guess_common_keys, proved_indexes
from plexsuper.database.check.crew import Job
from plexsuper.database.check.entry_counts import rows_of_tables
from plexsuper.database.check.passes import compare_in_passes, fit_for_passes
from plexsuper.database.check.report import Finding
from plexsuper.database.check.special_jobs import special_jobs
from plexsuper.database.check.table_checks import (
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
    whole_is_sound,
)
from plexsuper.database.check.verdict import Verdict
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Schema, Table

_INDEXES_PER_JOB = 3
_SCHEMA_TABLE = "sqlite_master"

_STRUCTURE, _LIST, _LOOK_UP, _DISTINCT, _PAGE = 12, 1, 4, 3, 80
"""What a row (or a page) costs in each kind of job, by measurement, in tenths of a microsecond: for an even end."""


_Estimated = tuple[int, Job[Verdict]]


def full_jobs(
    conn: sqlite3.Connection, source: PageSource, schema: Schema, known: frozenset[str] | None
) -> list[Job[Verdict]]:
    """Everything that can be judged of *schema*, the longest pieces first.

    The trees are judged all at once; when that does not prove them sound, `tree_jobs` must find out about each. But with
    trees *known* to be sound, each table with others is judged for itself, and who owns the pages is known, too.
    """
    jobs: list[_Estimated] = [(0, partial(_judge_table, table=Table(_SCHEMA_TABLE, 1, None)))]
    if known is None:
        jobs.append((source.page_count * _PAGE, partial(_judge_all_trees, source=source, schema=schema)))
    else:
        jobs += [(0, job) for job in tree_jobs(schema, known)]
    known = known or frozenset()
    passes = []
    for table in _tables_but(schema, known):
        last = _last_row(conn, table)
        left = [index for index in table.indexes if index.name not in known]
        by_pass = [index for index in left if _read_in_order(conn, table, index, last)]
        passes += [(table, by_pass)] if by_pass else []
        jobs += _table_jobs(conn, table, last, left, by_pass)
    jobs += [(0, job) for job in special_jobs(schema, known)]
    # All passes are one job: two threads that keep Python busy would only wait for each other
    first: list[Job[Verdict]] = [partial(_read_passes, source=source, passes=passes)]
    return first + [job for _, job in sorted(jobs, key=lambda entry: -entry[0])]


def tree_jobs(schema: Schema, known: frozenset[str] = frozenset()) -> list[Job[Verdict]]:
    """Judge the trees of each table, unless all are *known* to be sound or `full_jobs` judges them anyway."""
    return [
        partial(_judge_table, table=table) for table in _tables_but(schema, known) if needs_lookups(table)
    ]


def _tables_but(schema: Schema, known: frozenset[str]) -> list[Table]:
    """The tables of which not every tree is *known* to be sound."""
    return [
        table
        for table in schema.tables.values()
        if not known.issuperset([table.name, *(index.name for index in table.indexes)])
    ]


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


def _table_jobs(
    conn: sqlite3.Connection, table: Table, last: int, left: list[Index], by_pass: list[Index]
) -> Iterator[_Estimated]:
    """Compare *table*, whose greatest rowid is *last*, with the indexes that are *left*; those *by_pass* are read elsewhere."""
    if not needs_lookups(table):
        yield last * (_STRUCTURE + _LOOK_UP * len(table.indexes)), partial(_judge_table, table=table)
        return
    indexes = [index for index in left if comparable(index) and index not in by_pass]
    keys = guess_common_keys(conn, table, indexes, last)
    if keys:
        yield last * _LIST * (len(keys) + 2), partial(_compare_lists, table=table, keys=keys)
        listed = {key.index.name for key in keys}
        indexes = [index for index in indexes if index.name not in listed]
    # A few indexes at a time fit the page cache; all of them at once would push each other out
    for first in range(0, len(indexes), _INDEXES_PER_JOB):
        some = indexes[first : first + _INDEXES_PER_JOB]
        yield last * _LOOK_UP * len(some), partial(_look_up, table=table, indexes=some)
    special = [index for index in left if comparable(index) and (index.unique or index.partial)]
    if special:
        yield last * _DISTINCT * len(special), partial(_judge_special, table=table, indexes=special)


def _judge_table(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict()
    lines = ask_sqlite(conn, table)
    verdict.findings, verdict.complaints = sort_lines(table, lines)
    if table.name == _SCHEMA_TABLE:
        return verdict
    verdict.rows[table.name] = None
    try:
        verdict.rows[table.name] = count_rows(conn, table)
        if lines and not needs_lookups(table):
            verdict.findings += _which_indexes(conn, table, {finding.object for finding in verdict.findings})
    except SQLITE_ERRORS as error:
        if not lines:
            verdict.complaints.append(Complaint(table.name, (explain(error),)))
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


def _look_up(conn: sqlite3.Connection, *, table: Table, indexes: list[Index]) -> Verdict:
    try:
        return Verdict(list(rows_not_found(conn, table, indexes)))
    except SQLITE_ERRORS as error:
        complaint = Complaint(table.name, (explain(error),))
    try:
        count_rows(conn, table)
    except SQLITE_ERRORS:  # then it is no fault of the indexes
        return Verdict(complaints=[complaint])
    return Verdict(list(_each_alone(conn, table, indexes)), [complaint])


def _read_passes(
    conn: sqlite3.Connection, *, source: PageSource, passes: list[tuple[Table, list[Index]]]
) -> Verdict:
    verdict = Verdict()
    for table, indexes in passes:
        try:
            findings, doubtful = compare_in_passes(conn, source, table, indexes)
        except SQLITE_ERRORS as error:
            verdict.complaints.append(Complaint(table.name, (explain(error),)))
            findings, doubtful = [], [index for index in indexes if comparable(index)]
        verdict.findings += findings
        if doubtful:
            looked = _look_up(conn, table=table, indexes=doubtful)
            verdict.findings += looked.findings
            verdict.complaints += looked.complaints
    return verdict


def _compare_lists(conn: sqlite3.Connection, *, table: Table, keys: list[CommonKey]) -> Verdict:
    try:
        proved = {index.name for index in proved_indexes(conn, table, keys)}
    except SQLITE_ERRORS:  # looking the rows up will say which index it is
        proved = set()
    indexes = [key.index for key in keys if key.index.name not in proved]
    return _look_up(conn, table=table, indexes=indexes) if indexes else Verdict()


def _judge_all_trees(conn: sqlite3.Connection, *, source: PageSource, schema: Schema) -> Verdict:
    if not source.whole or not whole_is_sound(conn):
        return Verdict()
    try:
        rows = rows_of_tables(source, schema)
    except Malformed:
        return Verdict()
    return Verdict(rows=dict(rows), trees_proved=True)


def _judge_special(conn: sqlite3.Connection, *, table: Table, indexes: list[Index]) -> Verdict:
    verdict = Verdict()
    try:
        for index in indexes:
            if index.unique:
                verdict.findings += duplicates(conn, table, index)
            if index.partial:
                verdict.findings += compare_partial_count(conn, table, index)
    except SQLITE_ERRORS as error:
        verdict.complaints.append(Complaint(table.name, (explain(error),)))
    return verdict


def _compare_counts(conn: sqlite3.Connection, *, table: Table) -> Verdict:
    verdict = Verdict(rows={table.name: None})
    try:
        verdict.rows[table.name] = count_rows(conn, table)
        verdict.findings = list(compare_counts(conn, table))
    except SQLITE_ERRORS as error:
        verdict.findings = [Finding(table.name, "table", "data", explain(error))]
    return verdict
