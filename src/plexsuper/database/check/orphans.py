"""Counts the rows whose parent row is missing: information, not damage, because Plex itself leaves some."""

# ruff: noqa: S608 - constants of ours, quoted

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from plexsuper.database.check.table_checks import quoted
from plexsuper.database.schema import Schema

_PARENTS = (
    ("media_items", "metadata_item_id", "metadata_items"),
    ("media_parts", "media_item_id", "media_items"),
    ("media_streams", "media_part_id", "media_parts"),
    ("metadata_items", "parent_id", "metadata_items"),
    ("taggings", "metadata_item_id", "metadata_items"),
    ("taggings", "tag_id", "tags"),
)
"""Child table, its column, parent table: the relations that hold a library together."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A *column* of the table *child* that names rows of the table *parent*."""

    child: str
    column: str
    parent: str

    @property
    def name(self) -> str:
        """What a report calls the orphans of this relation."""
        return f"{self.child}.{self.column}"


def relations(schema: Schema) -> Iterator[Relation]:
    """The relations both of whose tables are in *schema*."""
    for relation in (Relation(*names) for names in _PARENTS):
        if {relation.child, relation.parent} <= schema.tables.keys():
            yield relation


def relation_of(orphans: str) -> frozenset[str]:
    """The two tables of the relation that a check's report calls *orphans*."""
    return frozenset(
        table for names in _PARENTS if Relation(*names).name == orphans for table in (names[0], names[2])
    )


def count_orphans(conn: sqlite3.Connection, relation: Relation) -> int:
    """Count the rows of the child that name a parent which is not there.

    Raises:
        sqlite3.DatabaseError: one of the tables cannot be read.
    """
    # Half the time of NOT EXISTS: SQLite looks into the parent's tree without a subquery for each row
    query = (
        f"SELECT count(*) FROM {quoted(relation.child)} WHERE {quoted(relation.column)} NOT IN"
        f" (SELECT id FROM {quoted(relation.parent)})"
    )
    (count,) = conn.execute(query).fetchone()
    return int(count)
