"""Under which id a row of the snapshot stands in the library, or shall stand there.

`temp.moved` holds it for every row that is needed: the same row is there (`made` 0, its own id), Plex has made it anew
meanwhile (`made` 0, that row's id), it comes back under its own id (`made` 1), or, where that id belongs to
another row by now, under a fresh one.
"""

# ruff: noqa: S608 - identifiers cannot be bound; they come from the schema, are quoted, or are constants of ours

import sqlite3
from dataclasses import dataclass

from plexsuper.database.remap.places import quoted
from plexsuper.database.revive.relations import SharedTable

MOVED = """
CREATE TEMP TABLE moved (
    tbl TEXT NOT NULL, old INTEGER NOT NULL, new INTEGER, made INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tbl, old)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Sameness:
    """How a row `o` of the snapshot is recognised among rows `m` of the library.

    *same* holds for the row of the same id; *twin* for one of another id that stands for it, `NULL` for tables that have none.
    *parent* is the column that points to the table itself: a parent is placed before its children.
    """

    table: str
    same: str
    twin: str = "NULL"
    parent: str | None = None
    returns: bool = True
    """Whether a row that is not recognised comes back; otherwise nothing points to it any more."""


def new_id(table: str, column: str) -> str:
    """Return an SQL expression: where the row of *table* that `o` points to by *column* stands now (NULL: nowhere)."""
    return f"(SELECT v.new FROM temp.moved v WHERE v.tbl = '{table}' AND v.old = o.{quoted(column)})"


def _unknown_before(table: str, same: str) -> str:
    """A twin is a row that Plex has made since: one that the snapshot knows is another thing that only looks alike."""
    return f"NOT EXISTS (SELECT 1 FROM old.{table} k WHERE k.id = m.id AND {same})"


SAME_ITEM = (
    "m.metadata_type IS o.metadata_type AND m.library_section_id IS o.library_section_id"
    " AND (m.guid = o.guid OR m.created_at = o.created_at"
    " OR (coalesce(m.guid, m.created_at, o.guid, o.created_at) IS NULL AND m.title IS o.title))"
)
SAME_FOLDER = (
    "m.library_section_id IS o.library_section_id AND (m.path IS o.path OR m.created_at = o.created_at)"
)


def samenesses(tables: dict[str, SharedTable]) -> dict[str, Sameness]:
    """Return the rules for the tables of which rows are needed by others, in the order in which they are placed.

    Plex gives each id once (AUTOINCREMENT), so an id and one lasting property tell a row from a stranger under its id;
    titles, guids and paths may have been changed by a new match or a remap.
    """
    edition = (
        " AND m.edition_title IS o.edition_title"
        if "edition_title" in tables["metadata_items"].columns
        else ""
    )
    rules = (
        Sameness(
            "section_locations",
            "m.library_section_id IS o.library_section_id",
            "m.library_section_id IS o.library_section_id AND m.root_path IS o.root_path",
            returns=False,
        ),
        Sameness(
            "directories",
            SAME_FOLDER,
            "m.path = o.path AND m.library_section_id IS o.library_section_id AND m.deleted_at IS NULL"
            f" AND m.parent_directory_id IS {new_id('directories', 'parent_directory_id')}"
            f" AND {_unknown_before('directories', 'k.path IS m.path')}",
            parent="parent_directory_id",
        ),
        Sameness(
            "metadata_items",
            SAME_ITEM,
            "m.guid = o.guid AND o.guid <> '' AND m.metadata_type IS o.metadata_type AND m.deleted_at IS NULL"
            f" AND m.library_section_id IS o.library_section_id{edition}"
            f" AND m.parent_id IS {new_id('metadata_items', 'parent_id')}"
            f" AND {_unknown_before('metadata_items', 'k.guid IS m.guid')}",
            parent="parent_id",
        ),
        Sameness(
            "tags",
            "m.tag IS o.tag AND m.tag_type IS o.tag_type",
            "m.tag_type IS o.tag_type AND m.tag = o.tag",
        ),
        Sameness(
            "media_items",
            "m.library_section_id IS o.library_section_id"
            f" AND (m.metadata_item_id IS {new_id('metadata_items', 'metadata_item_id')} OR m.created_at = o.created_at)",
        ),
        Sameness("media_parts", "0"),
        Sameness(
            "media_streams",
            f"m.media_part_id IS {new_id('media_parts', 'media_part_id')} AND m.stream_type_id IS o.stream_type_id",
        ),
    )
    return {rule.table: rule for rule in rules if rule.table in tables}


def need(conn: sqlite3.Connection, table: str, query: str) -> None:
    """Note that the rows of the snapshot's *table* whose ids *query* gives are needed."""
    conn.execute(
        f"INSERT OR IGNORE INTO temp.moved (tbl, old) SELECT '{table}', o.id FROM old.{quoted(table)} o WHERE o.id IN ({query})"
    )


def place(conn: sqlite3.Connection, rule: Sameness, *, new: str = "main", old: str = "old") -> int:
    """Decide where each needed row of the rule's table stands; return how many get a fresh id."""
    if rule.parent is not None:
        return _place_by_level(conn, rule, rule.parent)
    _recognise(conn, rule, "1", new=new, old=old)
    return _give_ids(conn, rule, "1", new=new, old=old)


def _place_by_level(conn: sqlite3.Connection, rule: Sameness, parent: str) -> int:
    """Place the rows whose parents are placed, until none is left; a parent that is not needed is none."""
    conn.execute(
        f"CREATE TEMP TABLE waiting AS SELECT v.old AS id, o.{quoted(parent)} AS parent FROM temp.moved v"
        f" JOIN old.{quoted(rule.table)} o ON o.id = v.old WHERE v.tbl = '{rule.table}'"
    )
    conn.execute("CREATE UNIQUE INDEX temp.waiting_id ON waiting (id)")
    conn.execute("CREATE TEMP TABLE ready (id INTEGER PRIMARY KEY)")
    fresh = 0
    while conn.execute("SELECT 1 FROM temp.waiting LIMIT 1").fetchone():
        found = conn.execute(
            "INSERT INTO temp.ready SELECT w.id FROM temp.waiting w WHERE w.parent IS NULL"
            " OR NOT EXISTS (SELECT 1 FROM temp.waiting above WHERE above.id = w.parent)"
        ).rowcount
        if not found:  # parents in a circle
            conn.execute("INSERT INTO temp.ready SELECT id FROM temp.waiting")
        _recognise(conn, rule, "moved.old IN (SELECT id FROM temp.ready)")
        fresh += _give_ids(conn, rule, "old IN (SELECT id FROM temp.ready)")
        conn.execute("DELETE FROM temp.waiting WHERE id IN (SELECT id FROM temp.ready)")
        conn.execute("DELETE FROM temp.ready")
    conn.execute("DROP TABLE temp.waiting")
    conn.execute("DROP TABLE temp.ready")
    return fresh


def _recognise(
    conn: sqlite3.Connection, rule: Sameness, which: str, *, new: str = "main", old: str = "old"
) -> None:
    name = quoted(rule.table)
    conn.execute(
        f"UPDATE temp.moved SET new = (SELECT CASE WHEN EXISTS"
        f" (SELECT 1 FROM {new}.{name} m WHERE m.id = o.id AND {rule.same}) THEN o.id"
        f" ELSE (SELECT min(m.id) FROM {new}.{name} m WHERE {rule.twin}) END"
        f" FROM {old}.{name} o WHERE o.id = moved.old)"
        f" WHERE tbl = '{rule.table}' AND {which}"
    )


def _give_ids(
    conn: sqlite3.Connection, rule: Sameness, which: str, *, new: str = "main", old: str = "old"
) -> int:
    """Let the rows that are not recognised come back: under their own ids where these are free."""
    if not rule.returns:
        return 0
    mine = f"tbl = '{rule.table}' AND new IS NULL AND {which}"
    conn.execute(
        f"UPDATE temp.moved SET new = old, made = 1 WHERE {mine}"
        f" AND NOT EXISTS (SELECT 1 FROM {new}.{quoted(rule.table)} m WHERE m.id = moved.old)"
    )
    taken = conn.execute(f"SELECT old FROM temp.moved WHERE {mine} ORDER BY old").fetchall()
    if taken:
        first = 1 + max(
            _highest_given(conn, rule.table), *(_highest(conn, s, rule.table) for s in (new, old))
        )
        conn.executemany(
            f"UPDATE temp.moved SET new = ?, made = 1 WHERE tbl = '{rule.table}' AND old = ?",
            ((first + offset, number) for offset, (number,) in enumerate(taken)),
        )
    return len(taken)


def _highest_given(conn: sqlite3.Connection, table: str) -> int:
    (last,) = conn.execute("SELECT coalesce(max(new), 0) FROM temp.moved WHERE tbl = ?", (table,)).fetchone()
    return int(last)


def _highest(conn: sqlite3.Connection, schema: str, table: str) -> int:
    (last,) = conn.execute(f"SELECT coalesce(max(id), 0) FROM {schema}.{quoted(table)}").fetchone()
    counted = conn.execute(f"SELECT 1 FROM {schema}.sqlite_master WHERE name = 'sqlite_sequence'").fetchone()
    row = (
        counted
        and conn.execute(f"SELECT seq FROM {schema}.sqlite_sequence WHERE name = ?", (table,)).fetchone()
    )
    return max(int(last), int(row[0] or 0) if row else 0)
