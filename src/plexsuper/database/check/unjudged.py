"""What stock SQLite cannot judge of a Plex schema, said in words, so that "healthy" never promises too much."""

from collections.abc import Iterator

from plexsuper.database.check.report import Unjudged
from plexsuper.database.schema import Schema

_FULL_TEXT = ("fts3", "fts4", "fts5")


def beyond_stock_sqlite(schema: Schema) -> Iterator[Unjudged]:
    """Name every part of *schema* whose content was not compared, and why."""
    for index in schema.indexes.values():
        collation = index.custom_collation
        if collation and index.plain and not index.partial:
            yield Unjudged(
                index.name,
                f"its order follows {collation}, which only Plex has; its pages and its entries were compared"
                " with the table, its order only as far as the alphabet goes",
            )
        elif collation:
            yield Unjudged(
                index.name, f"it needs {collation}, which only Plex has; only its pages were judged"
            )
    for item in schema.virtual:
        if item.module in _FULL_TEXT:
            yield Unjudged(
                item.name,
                "whether the full-text index holds the words of its table is known only to the tokenizer, and"
                " SQLite's own comparison complains on healthy servers; its shadow tables were checked as tables",
            )
        elif item.module != "rtree":
            yield Unjudged(
                item.name,
                f"stock SQLite has no module {item.module}; its shadow tables were checked as tables",
            )
