"""Finds out which tree SQLite meant when it complained of a table, and which pages of it are damaged."""

from collections.abc import Iterable, Iterator

from plexsuper.database.ownership import Ownership
from plexsuper.database.pages import PageSource
from plexsuper.database.report import Damage, Finding, Kind
from plexsuper.database.schema import Schema, Table
from plexsuper.database.table_checks import Complaint
from plexsuper.database.trees import walk_tree

_SCHEMA_TABLE = "sqlite_master"
_MOST = 20


def name_the_damaged(
    source: PageSource, schema: Schema, ownership: Ownership, complaints: Iterable[Complaint]
) -> Iterator[Finding]:
    """Turn *complaints* into findings that name a tree; none is ever dropped."""
    for complaint in complaints:
        if complaint.table == _SCHEMA_TABLE:
            message = "; ".join(complaint.lines[:3])
            yield Finding("sqlite_schema", "schema", "data", message, tuple(sorted(complaint.pages)))
            continue
        table = schema.tables[complaint.table]
        # Walking a tree strictly is slow: first those that are known to be hurt
        suspects = ownership.owners(complaint.pages) | {finding.object for finding in ownership.findings}
        found = list(_walk(source, table, suspects))
        if not found:
            message = "; ".join(complaint.lines[:3])
            found = [Finding(table.name, "table", "structure", message, tuple(sorted(complaint.pages)))]
        yield from found


def _walk(source: PageSource, table: Table, suspects: set[str]) -> Iterator[Finding]:
    trees: list[tuple[str, Kind, Damage, int]] = (
        [] if table.without_rowid else [(table.name, "table", "data", table.root)]
    )
    trees += [(index.name, "index", "index", index.root) for index in table.indexes]
    first = [tree for tree in trees if tree[0] in suspects]
    rest = [tree for tree in trees if tree[0] not in suspects]
    for group in (first, rest):
        found = False
        for name, kind, damage, root in group:
            faults = walk_tree(source, root, table=kind == "table").faults
            found = found or bool(faults)
            for page, message in faults[:_MOST]:
                yield Finding(name, kind, damage, message, (page,))
        if found:
            return
