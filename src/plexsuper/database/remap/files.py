"""The mapping of `media_parts.file` as one SQL expression: the table with hundreds of thousands of paths."""

# ruff: noqa: S608 - only names of ours are put into the statements, every path is bound

import sqlite3
from dataclasses import dataclass
from typing import Any

from plexsuper.database.remap.mapping import MappingSet, PathMapping


@dataclass(frozen=True, slots=True)
class FileSql:
    """*condition* is true for the rows that change, *value* is their new path; both need *parameters*.

    A condition is a union of ranges, so that the index on `file` answers it; LIKE could not (the index is BINARY, and
    `_`, `%` and letter case would match too much). Only values stored as text are meant.
    """

    condition: str
    value: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileCollision:
    """Two files of different paths that would get the same one."""

    new: Any
    old: tuple[Any, Any]


def file_sql(mappings: MappingSet) -> FileSql:
    """Return the expression for *mappings*: the longest prefix first, each path translated once."""
    parameters: dict[str, Any] = {}
    branches, ranges = [], []
    for index, mapping in enumerate(mappings.longest_first):
        exact, below = _tests(mapping, f"m{index}", parameters)
        if mapping.changes:
            ranges += [exact, *below]
            branches += _branches(mapping, f"m{index}", exact, below, parameters)
        else:
            branches += [f"WHEN {exact} OR {' OR '.join(below)} THEN file"]
    value = f"CASE {' '.join(branches)} END"
    condition = f"({' OR '.join(ranges) or '0'})"
    if not all(m.changes for m in mappings.mappings):
        condition += f" AND {value} IS NOT file"
    return FileSql(condition, value, parameters)


def holds_files(conn: sqlite3.Connection, mapping: PathMapping) -> bool:
    """Say whether any file's path is the old folder of *mapping* or lies below it."""
    parameters: dict[str, Any] = {}
    exact, below = _tests(mapping, "m", parameters)
    sql = f"SELECT 1 FROM media_parts WHERE {' OR '.join([exact, *below])} LIMIT 1"
    return conn.execute(sql, parameters).fetchone() is not None


def find_file_collisions(conn: sqlite3.Connection, mappings: MappingSet, limit: int) -> list[FileCollision]:
    """Return up to *limit* pairs of files that *mappings* would give the same path.

    Rows that have the same path already (a file with two episodes) are no collision. Where the new folders are
    empty and apart from each other, there can be none, and nothing is compared.
    """
    if not _may_collide(conn, mappings):
        return []
    sql = file_sql(mappings)
    conn.execute("DROP TABLE IF EXISTS temp.plexsuper_moved")
    conn.execute("CREATE TEMP TABLE plexsuper_moved (old TEXT PRIMARY KEY, new TEXT) WITHOUT ROWID")
    conn.execute(
        "INSERT INTO temp.plexsuper_moved"
        f" SELECT DISTINCT file, {sql.value} FROM media_parts WHERE {sql.condition}",
        sql.parameters,
    )
    conn.execute("CREATE INDEX temp.plexsuper_new ON plexsuper_moved (new)")
    rows = conn.execute(_COLLISIONS, (limit,)).fetchall()
    conn.execute("DROP TABLE temp.plexsuper_moved")
    return [FileCollision(new, (one, two)) for new, one, two in rows]


_COLLISIONS = """
SELECT new, min(old), max(old) FROM temp.plexsuper_moved GROUP BY new HAVING count(*) > 1
UNION ALL
SELECT m.new, m.old, m.new FROM temp.plexsuper_moved m
WHERE m.new IN (SELECT file FROM media_parts WHERE file = m.new)
  AND NOT EXISTS (SELECT 1 FROM temp.plexsuper_moved moved WHERE moved.old = m.new)
LIMIT ?
"""


def _may_collide(conn: sqlite3.Connection, mappings: MappingSet) -> bool:
    moved = [m for m in mappings.mappings if m.changes]
    targets = [PathMapping(m.new, m.old) for m in moved]
    apart = all(one is two or one.translate(two.old or b"/") is None for one in targets for two in targets)
    return not apart or any(m.exchange for m in moved) or any(holds_files(conn, t) for t in targets)


def _tests(mapping: PathMapping, name: str, parameters: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the test for the folder itself, and those for what lies below it, by separator."""
    exact = [_bind(parameters, f"{name}e{i}", path) for i, path in enumerate(mapping.exact)]
    below = []
    for i, separator in enumerate(mapping.separators):
        low = _bind(parameters, f"{name}l{i}", mapping.old + separator)
        high = _bind(parameters, f"{name}h{i}", mapping.old + bytes([separator[0] + 1]))
        below.append(f"(file >= {low} AND file < {high})")
    return f"file IN ({', '.join(exact)})", below


def _branches(
    mapping: PathMapping, name: str, exact: str, below: list[str], parameters: dict[str, Any]
) -> list[str]:
    itself = _bind(parameters, f"{name}x", mapping.new_exact)
    new = _bind(parameters, f"{name}n", mapping.new)
    parameters[f"{name}k"] = len(mapping.old) + 1
    # Through a BLOB, because substr() of text counts characters, and these bytes need not be any
    rest = f"CAST(substr(CAST(file AS BLOB), :{name}k) AS TEXT)"
    if mapping.exchange:
        rest = f"replace({rest}, '{mapping.exchange[0].decode()}', '{mapping.exchange[1].decode()}')"
    return [f"WHEN {exact} THEN {itself}", f"WHEN {' OR '.join(below)} THEN {new} || {rest}"]


def _bind(parameters: dict[str, Any], name: str, value: bytes) -> str:
    parameters[name] = value  # as a BLOB: text with foreign bytes cannot be bound
    return f"CAST(:{name} AS TEXT)"
