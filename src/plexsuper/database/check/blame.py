"""Takes the blame from indexes that could only not be compared, because their table is damaged.

What a comparison says then is true of the table: rows that cannot be read are missing on its side. Against an index counts only
what it proves by itself: a bad page, an entry that a search in it does not find, a key that must not be there twice.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.alphabet import OrderWatch
from plexsuper.database.check.report import Finding, Unjudged
from plexsuper.database.check.table_checks import comparable, duplicates, membership, quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Schema, Table

_MOST = 20
_ROWS_NAMED = 5


def judge_fairly(
    conn: sqlite3.Connection, source: PageSource, schema: Schema, findings: list[Finding], *, full: bool
) -> tuple[list[Finding], list[Unjudged]]:
    """Return *findings* without what only a damaged table says against its indexes, and those indexes as not judged.

    A check that is not *full* has no time to read each of them alone.
    """
    hurt = _hurt_tables(schema, findings, full=full)
    compared = {index.name for table in hurt for index in table.indexes}
    kept = [
        finding
        for finding in findings
        if finding.kind != "index" or finding.pages or finding.object not in compared
    ]
    proved = {finding.object for finding in kept}
    if full:
        for table in hurt:
            rest = [index for index in table.indexes if index.name not in proved]
            kept += [fault for index in rest for fault in _own_faults(conn, source, table, index)]
    proved = {finding.object for finding in kept}
    return kept, [
        Unjudged(index.name, f"not compared: table {table.name} is damaged")
        for table in hurt
        for index in table.indexes
        if index.name not in proved
    ]


def _hurt_tables(schema: Schema, findings: list[Finding], *, full: bool) -> list[Table]:
    """The tables in whose own trees *findings* name damaged pages; a check that is not *full* names no pages."""
    names = {
        finding.object
        for finding in findings
        if finding.kind == "table" and finding.damage == "data" and (finding.pages or not full)
    }
    # The tree of a table without rowids is an index; Plex has none
    return [table for table in schema.tables.values() if table.name in names and not table.without_rowid]


def _own_faults(conn: sqlite3.Connection, source: PageSource, table: Table, index: Index) -> list[Finding]:
    """What *index* proves against itself when it is read alone."""
    try:
        return list(_disorder(conn, table, index))
    except SQLITE_ERRORS as error:
        return list(_bad_pages(source, index, explain(error)))


def _disorder(conn: sqlite3.Connection, table: Table, index: Index) -> Iterator[Finding]:
    if not comparable(index):
        if index.plain and not index.partial:
            yield from _misplaced(conn, table, index)
        return
    # An index in which a search finds each of its entries is in order
    lost = (
        f"SELECT rowid FROM {quoted(table.name)} AS t INDEXED BY {quoted(index.name)}"
        f" WHERE {index.condition} AND NOT {membership(conn, table, index)} LIMIT {_ROWS_NAMED}"
    )
    if not _reads_only(conn, lost, index):
        return
    if rows := [str(row) for (row,) in conn.execute(lost)]:
        message = f"the order of index {index.name} is broken: no search finds its entries of rows {', '.join(rows)}"
        yield Finding(index.name, "index", "index", message)
    if index.unique and not index.partial:
        yield from duplicates(conn, table, index)


def _misplaced(conn: sqlite3.Connection, table: Table, index: Index) -> Iterator[Finding]:
    watch = OrderWatch(index)
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    entries = conn.execute(
        f"SELECT {columns}, rowid FROM {quoted(table.name)} INDEXED BY {quoted(index.name)}"
    )
    for wrong in filter(None, map(watch.next, entries)):
        yield Finding(index.name, "index", "index", wrong)
        return


def _reads_only(conn: sqlite3.Connection, query: str, index: Index) -> bool:
    """Whether SQLite answers *query* from *index* without a look at its table."""
    plan = [detail for *_, detail in conn.execute(f"EXPLAIN QUERY PLAN {query}")]
    return all(
        f"USING COVERING INDEX {index.name}" in step for step in plan if step.startswith(("SCAN", "SEARCH"))
    )


def _bad_pages(source: PageSource, index: Index, said: str) -> Iterator[Finding]:
    faults = walk_tree(source, index.root, table=False).faults
    for page, message in faults[:_MOST]:
        yield Finding(index.name, "index", "index", message, (page,))
    if not faults:
        yield Finding(index.name, "index", "index", f"cannot be read: {said}")
