"""What becomes of an index in an order that only Plex knows, when it is damaged or its table has changed."""

from collections.abc import Sequence
from pathlib import Path

from plexsuper.database.check.plex_tool import run_plex_sqlite
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.repair.surgery import carry_over, drop_object, free_the_unowned, schema_of
from plexsuper.database.schema import Index, Table


def restore_custom_index(copy: Path, table: Table, index: Index, plex_sqlite: Sequence[str] | None) -> str:
    """Put *index* of *copy* into a state that Plex can trust; return what state that is.

    In this order: its own entries in their own order, if they cover every row; built anew by `Plex SQLite`; left out. It is
    never built in an order that only resembles Plex's: Plex would not find rows in it, nor delete them from it. Without the
    index Plex sorts by `ORDER BY … COLLATE`, which is right and slower.
    """
    if carry_over(copy, table, index):
        return "kept: its own entries in Plex's own order, without those of lost rows"
    if plex_sqlite:
        free_the_unowned(copy, schema_of(copy), frozenset({index.name}))
        run_plex_sqlite(plex_sqlite, str(copy), f"REINDEX {quoted(index.name)};", read_only=False)
        return "built anew by Plex SQLite"
    drop_object(copy, index.name)
    return (
        f"left out, because only Plex knows the order {index.custom_collation}; Plex works without it and sorts more slowly;"
        f" create it with Plex SQLite: {index.sql};"
    )
