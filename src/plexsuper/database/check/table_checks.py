"""Judges one ordinary table and its indexes with stock SQLite, including tables that it cannot judge by itself.

`PRAGMA quick_check('table')` works on a Plex schema where the check of the whole file fails; it judges the structure. Each
index is compared by looking each row up in it, which is what integrity_check does; but integrity_check
would compare by a stand-in where only Plex knows the collation, and drown in false lines.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from plexsuper.database.check.report import Finding
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Table

_NAMED_INDEX = re.compile(r"(?:missing from|entries in|entry in|of|differ from) index (.+)$")
_PAGE = re.compile(r"\bpage (\d+)", re.IGNORECASE)
_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Complaint:
    """What SQLite said of a table, before it is known which of its trees is meant."""

    table: str
    lines: tuple[str, ...]

    @property
    def pages(self) -> set[int]:
        """The pages that the lines name."""
        return {int(page) for line in self.lines for page in _PAGE.findall(line)}


def quoted(name: str) -> str:
    """*name* as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def needs_lookups(table: Table) -> bool:
    """Whether the indexes of *table* are compared here and not by integrity_check."""
    return any(index.custom_collation for index in table.indexes) or (
        bool(table.indexes) and not table.without_rowid and all(index.plain for index in table.indexes)
    )


def ask_sqlite(conn: sqlite3.Connection, table: Table) -> list[str]:
    """Run SQLite's own check of *table* and its indexes; return its complaints."""
    pragma = "quick_check" if needs_lookups(table) else "integrity_check"
    try:
        lines = [line for (line,) in conn.execute(f"PRAGMA {pragma}({quoted(table.name)})")]
    except SQLITE_ERRORS as error:
        return [explain(error)]
    if not lines:
        return [f"PRAGMA {pragma} answered nothing"]
    return (
        [] if lines == ["ok"] else [line for text in lines for line in text.splitlines() if "***" not in line]
    )


def whole_is_sound(conn: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong with any tree, any row, the free page list, and who owns each page.

    An SQLite from 3.44 on cannot say it of Plex's databases, for it looks into full-text tables whose tokenizer only Plex
    has; no index is compared with its table here.
    """
    try:
        return conn.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except SQLITE_ERRORS:
        return False


def sort_lines(table: Table, lines: list[str]) -> tuple[list[Finding], list[Complaint]]:
    """Separate the lines that name an index from those whose tree is still to be found."""
    names = {index.name for index in table.indexes}
    by_index: dict[str, list[str]] = {}
    rest = []
    for line in lines:
        found = _NAMED_INDEX.search(line)
        if found and found.group(1) in names:
            by_index.setdefault(found.group(1), []).append(line)
        else:
            rest.append(line)
    findings = [Finding(name, "index", "index", _summary(said)) for name, said in by_index.items()]
    return findings, [Complaint(table.name, tuple(rest))] if rest else []


def _summary(lines: list[str]) -> str:
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return lines[0] + more


def comparable(index: Index) -> bool:
    """Whether the rows of the table can be looked up in *index* by stock SQLite."""
    return index.plain and not index.custom_collation


def rows_not_found(conn: sqlite3.Connection, table: Table, indexes: list[Index]) -> Iterator[Finding]:
    """Look each row of *table* up in each of *indexes*.

    Raises:
        sqlite3.DatabaseError: a tree is so damaged that SQLite gives up.
    """
    found = " AND ".join(membership(conn, table, index) for index in indexes)
    missing = f"SELECT rowid FROM {quoted(table.name)} AS t NOT INDEXED WHERE NOT "
    if conn.execute(f"{missing} ({found}) LIMIT 1").fetchone() is None:
        return
    for index in indexes:
        query = f"{missing} {lookup(table, index)} LIMIT {_ROWS_NAMED}"
        if lost := [str(row) for (row,) in conn.execute(query)]:
            message = f"rows of {table.name} missing from index {index.name}: {', '.join(lost)}"
            yield Finding(index.name, "index", "index", message)


def membership(conn: sqlite3.Connection, table: Table, index: Index) -> str:
    """The same as `lookup`, in words for which SQLite opens the index once and not for each row, if it has such."""
    usual = lookup(table, index)
    keys = [f"t.{quoted(term.name or '')}" for term in index.terms]
    sought = [f"{key} COLLATE {quoted(term.collation)}" for key, term in zip(keys, index.terms, strict=True)]
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    name = quoted(table.name)
    member = f"({', '.join(sought)}, t.rowid) IN (SELECT {columns}, rowid FROM {name})"
    plan = conn.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {name} AS t NOT INDEXED WHERE {member}").fetchall()
    if f"USING INDEX {index.name} FOR IN-OPERATOR" not in {detail for *_, detail in plan}:
        return usual
    # NULL is not IN anything, and beside a NULL in the index nothing is surely not IN it
    unknown = " OR ".join(f"{key} IS NULL" for key in keys)
    return f"CASE WHEN {unknown} THEN {usual} ELSE {member} IS TRUE END"


def lookup(table: Table, index: Index) -> str:
    """An SQL condition: the row of *table* called `t` has its entry in *index*."""
    same = " AND ".join(
        f"i.{quoted(term.name or '')} COLLATE {quoted(term.collation)} IS t.{quoted(term.name or '')}"
        for term in index.terms
    )
    name = quoted(table.name)
    where = (
        f"{index.condition} AND {same} AND i.rowid = t.rowid"
        if index.partial
        else f"{same} AND i.rowid = t.rowid"
    )
    found = f"EXISTS (SELECT 1 FROM {name} AS i INDEXED BY {quoted(index.name)} WHERE {where})"
    return f"({found} OR ({index.condition}) IS NOT TRUE)" if index.partial else found


def duplicates(conn: sqlite3.Connection, table: Table, index: Index) -> Iterator[Finding]:
    """Find keys that a unique *index* holds twice."""
    terms = [f"{quoted(term.name or '')} COLLATE {quoted(term.collation)}" for term in index.terms]
    known = " AND ".join(f"{quoted(term.name or '')} IS NOT NULL" for term in index.terms)
    query = (
        f"SELECT min(rowid) FROM {quoted(table.name)} INDEXED BY {quoted(index.name)} WHERE {known}"
        f" AND {index.condition} GROUP BY {', '.join(terms)} HAVING count(*) > 1 LIMIT 1"
    )
    for (row,) in conn.execute(query):
        yield Finding(
            index.name, "index", "index", f"row {row} of {table.name} is not unique in {index.name}"
        )


def count_rows(conn: sqlite3.Connection, table: Table) -> int:
    """Count the rows in the table's own tree.

    Raises:
        sqlite3.DatabaseError: the tree cannot be read.
    """
    row = conn.execute(f"SELECT count(*) FROM {quoted(table.name)} NOT INDEXED").fetchone()
    return int(row[0])


def compare_counts(conn: sqlite3.Connection, table: Table) -> Iterator[Finding]:
    """Compare the number of rows and the sum of the rowids of *table* with those of each of its indexes.

    Raises:
        sqlite3.DatabaseError: the table's tree cannot be read.
    """
    if table.without_rowid:
        return
    (wanted,) = conn.execute(_measure(table, "NOT INDEXED")).fetchall()
    for index in table.indexes:
        if index.partial:
            if comparable(index):
                yield from compare_partial_count(conn, table, index)
            continue
        try:
            (got,) = conn.execute(_measure(table, f"INDEXED BY {quoted(index.name)}")).fetchall()
        except SQLITE_ERRORS as error:
            yield Finding(index.name, "index", "index", f"cannot be read: {explain(error)}")
            continue
        yield from _compare(index, got, wanted)


def compare_partial_count(conn: sqlite3.Connection, table: Table, index: Index) -> Iterator[Finding]:
    """Compare the number of entries of a partial *index* with the rows that meet its condition.

    Raises:
        sqlite3.DatabaseError: a tree cannot be read.
    """
    (wanted,) = conn.execute(_measure(table, "NOT INDEXED", index.condition)).fetchall()
    (got,) = conn.execute(_measure(table, f"INDEXED BY {quoted(index.name)}", index.condition)).fetchall()
    yield from _compare(index, got, wanted)


def _measure(table: Table, path: str, condition: str = "1") -> str:
    return f"SELECT count(*), total(rowid) FROM {quoted(table.name)} {path} WHERE {condition}"


def _compare(index: Index, got: tuple[int, float], wanted: tuple[int, float]) -> Iterator[Finding]:
    if got != wanted:
        message = f"wrong # of entries in index {index.name}: {got[0]} for {wanted[0]} rows, or other rows"
        yield Finding(index.name, "index", "index", message)
