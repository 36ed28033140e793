"""What a database says it holds: tables, indexes, virtual tables and what stock SQLite can judge of each."""

import re
import sqlite3
from dataclasses import dataclass, field

_BUILT_IN = {"BINARY", "NOCASE", "RTRIM"}

_MODULE = re.compile(r"\bUSING\s+[\"'`\[]?(\w+)", re.IGNORECASE)

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|\w+|[()]")

_WITHOUT_ROWID = re.compile(r"\)[^)]*\bWITHOUT\s+ROWID\b[^)]*$", re.IGNORECASE)

_INDEXES = """
SELECT t.name, l.name, l."unique", l.origin, l.partial, x.cid, x.name, x.coll, x."desc", x.key
FROM sqlite_master AS t, pragma_index_list(t.name) AS l, pragma_index_xinfo(l.name) AS x
WHERE t.type = 'table' AND t.rootpage > 0 ORDER BY t.rowid, l.seq, x.seqno
"""
_COLUMNS = """
SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master AS t, pragma_table_info(t.name) AS c
WHERE t.type = 'table' AND t.rootpage > 0 ORDER BY t.rowid, c.cid
"""


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One row of the schema table."""

    type: str
    name: str
    table: str
    root: int
    sql: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column as declared; *default* is SQL text, *pk* its place in the primary key (0: none)."""

    name: str
    type: str
    not_null: bool
    default: str | None
    pk: int


@dataclass(frozen=True, slots=True)
class IndexTerm:
    """A term of an index key: the number of the table's column (negative: rowid -1, expression -2)."""

    cid: int
    name: str | None
    collation: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index; *origin* is `c` for one made by CREATE INDEX, `u` or `pk` for a constraint's own."""

    name: str
    table: str
    root: int
    sql: str | None
    unique: bool
    origin: str
    partial: bool
    terms: tuple[IndexTerm, ...]

    @property
    def condition(self) -> str:
        """The WHERE clause of a partial index, `1` for any other."""
        return where_clause(self.sql or "") or "1"

    @property
    def custom_collation(self) -> str | None:
        """The collation in it that stock SQLite does not know, if there is one."""
        return next((term.collation for term in self.terms if not _is_built_in(term.collation)), None)

    @property
    def plain(self) -> bool:
        """Whether its keys are made of columns only."""
        return all(term.cid >= 0 for term in self.terms)


@dataclass(slots=True)
class Table:
    """An ordinary table: it has a b-tree of its own. *undeclared* constraints have lost their index in the schema."""

    name: str
    root: int
    sql: str | None
    columns: list[Column] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)
    without_rowid: bool = False
    undeclared: list[str] = field(default_factory=list)
    shadow_of: str | None = None


@dataclass(frozen=True, slots=True)
class VirtualTable:
    """A table that a module of SQLite (or of Plex) computes from its shadow tables."""

    name: str
    module: str
    sql: str


@dataclass(slots=True)
class Schema:
    """Everything the schema table declares, in its order."""

    objects: list[SchemaObject]
    tables: dict[str, Table]
    virtual: list[VirtualTable]

    @property
    def collations(self) -> frozenset[str]:
        """The collations stock SQLite does not know."""
        found = (index.custom_collation for table in self.tables.values() for index in table.indexes)
        return frozenset(name for name in found if name)

    @property
    def indexes(self) -> dict[str, Index]:
        """Every index by its name."""
        return {index.name: index for table in self.tables.values() for index in table.indexes}


def read_schema(conn: sqlite3.Connection) -> Schema:
    """Read the schema through *conn*.

    Raises:
        sqlite3.DatabaseError: SQLite cannot read the schema.
    """
    rows = conn.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid")
    objects = [SchemaObject(kind, name, table, root or 0, sql) for kind, name, table, root, sql in rows]
    tables = {
        item.name: Table(item.name, item.root, item.sql, without_rowid=_lacks_rowid(item.sql))
        for item in objects
        if item.type == "table" and item.root
    }
    virtual = [
        VirtualTable(item.name, _module(item.sql), item.sql)
        for item in objects
        if item.type == "table" and not item.root and item.sql
    ]
    for name, *column in conn.execute(_COLUMNS):
        if name in tables:
            tables[name].columns.append(Column(column[0], column[1], bool(column[2]), column[3], column[4]))
    _add_indexes(conn, objects, tables)
    for table in tables.values():
        owners = (item.name for item in virtual if table.name.startswith(f"{item.name}_"))
        table.shadow_of = max(owners, key=len, default=None)  # "titles_icu_segdir" is not of "titles"
    return Schema(objects, tables, virtual)


def _add_indexes(conn: sqlite3.Connection, objects: list[SchemaObject], tables: dict[str, Table]) -> None:
    declared = {item.name: item for item in objects if item.type == "index"}
    terms: dict[str, list[IndexTerm]] = {}
    heads: dict[str, tuple[str, bool, str, bool]] = {}
    for table, index, unique, origin, partial, cid, column, collation, descending, key in conn.execute(
        _INDEXES
    ):
        heads[index] = (table, bool(unique), origin, bool(partial))
        if key:
            terms.setdefault(index, []).append(IndexTerm(cid, column, collation, bool(descending)))
    for name, (table, unique, origin, partial) in heads.items():
        item = declared.get(name)
        if item is None:  # the primary key of a WITHOUT ROWID table is the table; any other has lost its row
            if not tables[table].without_rowid:
                tables[table].undeclared.append(name)
            continue
        index = Index(name, table, item.root, item.sql, unique, origin, partial, tuple(terms.get(name, ())))
        tables[table].indexes.append(index)


def is_text(item: SchemaObject) -> bool:
    """Whether everything that *item* says is UTF-8; no declaration of Plex is anything else."""
    try:
        f"{item.type} {item.name} {item.table} {item.sql}".encode()
    except UnicodeEncodeError:
        return False
    return True


def where_clause(sql: str) -> str:
    """The text behind the WHERE of a CREATE INDEX statement; SQL's quotes and brackets are skipped."""
    depth = 0
    for token in _TOKEN.finditer(sql):
        word = token.group()
        depth += (word == "(") - (word == ")")
        if not depth and word.upper() == "WHERE":
            return sql[token.end() :]
    return ""


def _is_built_in(collation: str) -> bool:
    """Whether stock SQLite knows how *collation* sorts."""
    return collation.upper() in _BUILT_IN


def _lacks_rowid(sql: str | None) -> bool:
    return bool(sql and _WITHOUT_ROWID.search(sql))


def _module(sql: str) -> str:
    found = _MODULE.search(sql)
    return found.group(1).lower() if found else "unknown"
