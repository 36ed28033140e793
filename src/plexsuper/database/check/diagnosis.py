"""Finds out which tree SQLite meant when it complained of a table, and which pages of it are damaged."""

from collections.abc import Iterable, Iterator

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.ownership import Ownership
from plexsuper.database.check.report import Damage, Finding, Kind
from plexsuper.database.check.table_checks import Complaint
from plexsuper.database.schema import Schema, Table

_SCHEMA_TABLE = "sqlite_master"
_MOST = 20


def name_the_damaged(
    source: PageSource, schema: Schema, ownership: Ownership, complaints: Iterable[Complaint]
) -> Iterator[Finding]:
    """Turn *complaints* into findings that name a tree; none is ever dropped."""
    walks = _Walks(source)
    for complaint in complaints:
        if complaint.table == _SCHEMA_TABLE:
            message = "; ".join(complaint.lines[:3])
            yield Finding("sqlite_schema", "schema", "data", message, tuple(sorted(complaint.pages)))
            continue
        table = schema.tables[complaint.table]
        # Walking a tree strictly is slow: first those that are known to be hurt
        suspects = ownership.owners(complaint.pages) | {finding.object for finding in ownership.findings}
        found = list(_walk(walks, table, suspects))
        if not found:
            message = "; ".join(complaint.lines[:3])
            found = [Finding(table.name, "table", "structure", message, tuple(sorted(complaint.pages)))]
        yield from found


class _Walks:
    """The faults of trees; of one table several jobs may have complained, and each tree is walked but once."""

    def __init__(self, source: PageSource) -> None:
        self._source = source
        self._faults: dict[tuple[int, bool], list[tuple[int, str]]] = {}

    def faults(self, root: int, *, table: bool) -> list[tuple[int, str]]:
        """The faults of the tree at *root*."""
        if (root, table) not in self._faults:
            self._faults[root, table] = walk_tree(self._source, root, table=table).faults
        return self._faults[root, table]


def _walk(walks: _Walks, table: Table, suspects: set[str]) -> Iterator[Finding]:
    trees: list[tuple[str, Kind, Damage, int]] = (
        [] if table.without_rowid else [(table.name, "table", "data", table.root)]
    )
    trees += [(index.name, "index", "index", index.root) for index in table.indexes]
    first = [tree for tree in trees if tree[0] in suspects]
    rest = [tree for tree in trees if tree[0] not in suspects]
    for group in (first, rest):
        found = False
        for name, kind, damage, root in group:
            faults = walks.faults(root, table=kind == "table")
            found = found or bool(faults)
            for page, message in faults[:_MOST]:
                yield Finding(name, kind, damage, message, (page,))
        if found:
            return
