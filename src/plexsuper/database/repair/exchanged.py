"""Finds tables, and indexes, that have each other's trees, and gives each its own again.

Trees whose root pages changed places are sound, each for itself, but neither holds rows of its table. What follows from taking
the rows for right would be the loss of both tables: their indexes would be built anew from rows of another one.
"""

import sqlite3
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, islice, product
from pathlib import Path

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.report import CheckReport
from plexsuper.database.connection import connect
from plexsuper.database.repair.exchanged_indexes import exchanged_indexes
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.suited import Tree, Tribunal, read_tree
from plexsuper.database.repair.surgery import open_copy, schema_of
from plexsuper.database.schema import Schema

_MOST_TRIED = 6
"""Each is judged by a check of the whole file."""
_MOST_THOUGHT_OF = 1000


@dataclass(frozen=True, slots=True)
class Exchange:
    """New *roots* for tables or indexes, all of them roots of these; *proved* when the indexes know every row looked at."""

    roots: dict[str, int]
    proved: bool = False

    def put_in_place(self, copy: Path) -> None:
        """Declare the tables of *copy* with these roots."""
        _declare(copy, self.roots)

    def take_back(self, copy: Path, schema: Schema) -> None:
        """Declare them as *schema* did."""
        _declare(copy, {item.name: item.root for item in schema.objects if item.name in self.roots})

    def accepted(self, schema: Schema, before: CheckReport, after: CheckReport) -> bool:
        """Whether the check says that the tables have their own trees now."""
        if self.proved:
            return True
        left = {finding.object for finding in after.findings}
        tables = [schema.tables[name] for name in self.roots if name in schema.tables]
        mine = self.roots.keys() | {index.name for table in tables for index in table.indexes}
        mine |= {table.shadow_of for table in tables if table.shadow_of}
        return left.isdisjoint(mine) and left <= {finding.object for finding in before.findings}


def put_in_place(
    copy: Path, report: RepairReport, checked: CheckReport, check: Callable[[], CheckReport]
) -> CheckReport:
    """Give the tables of *copy* that have changed places their own trees; return what *check* says of it then.

    *checked* is what it says now. An exchange that neither the indexes nor the check confirm is taken back.
    """
    schema = schema_of(copy)
    for exchange in exchanges(copy, schema, checked):
        exchange.put_in_place(copy)
        after = check()
        if exchange.accepted(schema, checked, after):
            report.step("exchange of roots")
            report.notes.append(f"these had changed places: {', '.join(sorted(exchange.roots))}")
            return after
        exchange.take_back(copy, schema)
    return checked


def _declare(copy: Path, roots: dict[str, int]) -> None:
    with open_copy(copy) as conn:
        change = "UPDATE sqlite_master SET rootpage = ? WHERE type IN ('table', 'index') AND name = ?"
        conn.executemany(change, ((root, name) for name, root in roots.items()))


def exchanges(copy: Path, schema: Schema, checked: CheckReport) -> Iterator[Exchange]:
    """The ways in which the tables of *copy* may have changed places, the likeliest first, as far as *checked* gives reason."""
    # What has a damaged page has its fault there; trees that changed places are sound
    damaged = {finding.object for finding in checked.findings if finding.pages}
    kinds = {finding.kind for finding in checked.findings if finding.object not in damaged}
    if not kinds & {"table", "index", "rtree"}:
        return
    blamed = {finding.object for finding in checked.findings if not finding.pages}
    with PageSource(copy) as source, closing(connect(immutable_uri(copy), schema.collations)) as conn:
        found = list(islice(_by_rows(conn, source, schema), _MOST_TRIED))
        alone = _blamed_alone(schema, blamed - damaged, blamed | damaged)
        if not found and (roots := exchanged_indexes(conn, source, schema, alone)):
            found = [Exchange(roots, proved=True)]
    yield from found
    if not found:
        yield from _by_name(schema, blamed)


def _by_rows(conn: sqlite3.Connection, source: PageSource, schema: Schema) -> Iterator[Exchange]:
    tables = [table for table in schema.tables.values() if not table.without_rowid]
    trees = {table.name: tree for table in tables if (tree := read_tree(source, table.root))}
    tribunal = Tribunal(conn, schema, trees)
    astray = {name for name, tree in trees.items() if not tribunal.suits(schema.tables[name], tree)}
    # Rows that are too short may be older than the last columns, or another table's
    doubtful = {
        name
        for name, tree in trees.items()
        if name not in astray and tree.rows and tree.width < len(schema.tables[name].columns)
    }
    homeless = astray | doubtful | {name for name, tree in trees.items() if not tree.rows}
    homes = {
        name: [name] * (name in doubtful) + likely
        for name in sorted(astray | doubtful)
        if trees[name].rows and (likely := _homes(tribunal, schema, trees[name], homeless - {name}))
    }
    for choice in islice(product(*homes.values()), _MOST_THOUGHT_OF):
        moves = dict(zip(homes, choice, strict=True))
        if homes and (roots := _moved(tribunal, schema, trees, moves)):
            sure = (
                tribunal.confirms(schema.tables[home], trees[name])
                for name, home in moves.items()
                if home in roots
            )
            yield Exchange(roots, proved=all(sure))


def _moved(
    tribunal: Tribunal, schema: Schema, trees: dict[str, Tree], homes: dict[str, str]
) -> dict[str, int] | None:
    """The roots when the tree of each table goes to its one of *homes*; `None` if that is no exchange."""
    wanted = set(homes.values())
    # Who gives a full tree away gets an empty one, unless a full one is his
    bereft, spare = sorted(homes.keys() - wanted), sorted(wanted - homes.keys())
    if (
        len(wanted) < len(homes)
        or any(trees[name].rows for name in spare)
        or any(map(tribunal.knows_rows, bereft))
    ):
        return None
    roots = {home: schema.tables[name].root for name, home in homes.items() if home != name}
    return roots | {name: schema.tables[other].root for name, other in zip(bereft, spare, strict=True)}


def _homes(tribunal: Tribunal, schema: Schema, tree: Tree, names: set[str]) -> list[str]:
    """Those of the tables *names* that *tree* can belong to; indexes that know its rows outweigh its looks."""
    suited = [name for name in sorted(names) if tribunal.suits(schema.tables[name], tree)]
    sure = [name for name in suited if tribunal.confirms(schema.tables[name], tree)]
    return sure or [name for name in suited if tribunal.expects(schema.tables[name], tree)]


def _blamed_alone(schema: Schema, sound: AbstractSet[str], blamed: AbstractSet[str]) -> list[str]:
    """The indexes that are blamed although they are *sound* as trees, and whose tables are not among the *blamed*."""
    return sorted(
        index.name for index in schema.indexes.values() if index.name in sound and index.table not in blamed
    )


def _by_name(schema: Schema, blamed: AbstractSet[str]) -> Iterator[Exchange]:
    """Shadow tables whose rows look alike: those of one R-tree, and the same ones of two full-text indexes."""
    modules = {item.name: item.module for item in schema.virtual}
    for item in schema.virtual:
        pair = (f"{item.name}_rowid", f"{item.name}_parent")
        if item.module == "rtree" and item.name in blamed and set(pair) <= schema.tables.keys():
            yield _swap(schema, *pair)
    by_part: dict[str, list[str]] = {}
    for table in schema.tables.values():
        if table.shadow_of and modules[table.shadow_of].startswith("fts"):
            by_part.setdefault(table.name.removeprefix(table.shadow_of), []).append(table.name)
    for names in by_part.values():
        yield from (_swap(schema, *pair) for pair in combinations(names, 2) if not blamed.isdisjoint(pair))


def _swap(schema: Schema, one: str, two: str) -> Exchange:
    return Exchange({one: schema.tables[two].root, two: schema.tables[one].root})
