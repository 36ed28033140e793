"""The pieces of a check that judge what only SQLite's own modules and Plex's relations say of a table."""

import sqlite3
from collections.abc import Iterator
from functools import partial

from plexsuper.database.check.crew import Job
from plexsuper.database.check.orphans import Relation, count_orphans, relations
from plexsuper.database.check.report import Finding
from plexsuper.database.check.shapes import foreign_own_tables, foreign_shadows
from plexsuper.database.check.verdict import Verdict
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Schema


def special_jobs(schema: Schema, known: frozenset[str]) -> Iterator[Job[Verdict]]:
    """Orphans (but not between tables *known* to be sound), full-text and R-tree tables, and SQLite's own."""
    for relation in relations(schema):
        if not {relation.child, relation.parent} <= known:
            yield partial(_count_orphans, relation=relation)
    for item in schema.virtual:
        if item.module == "rtree":
            yield partial(_judge_rtree, name=item.name)
    yield partial(_judge_shapes, schema=schema)


def _count_orphans(conn: sqlite3.Connection, *, relation: Relation) -> Verdict:
    try:
        return Verdict(orphans={relation.name: count_orphans(conn, relation)})
    except SQLITE_ERRORS:  # said by the jobs of the two tables; no count is no count, never 0
        return Verdict()


def _judge_shapes(conn: sqlite3.Connection, *, schema: Schema) -> Verdict:
    said: list[tuple[str, str]] = []
    try:
        said += foreign_own_tables(conn, schema)
        for item in schema.virtual:
            said += foreign_shadows(conn, schema, item)
    except SQLITE_ERRORS:  # said by the tables' own jobs
        return Verdict()
    return Verdict([Finding(name, "table", "data", message) for name, message in said])


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
