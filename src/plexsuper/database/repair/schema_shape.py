"""Tells a declaration, that is a row of the schema table, from any other row."""

from plexsuper.database.btree.records import Value

_TYPES = ("table", "index", "trigger", "view")


def is_declaration(values: list[Value]) -> bool:
    """Whether *values* are a row of the schema table: type, name, table, root page, CREATE statement."""
    if len(values) != 5:
        return False
    kind, name, table, root, sql = values
    named = isinstance(name, str) and isinstance(table, str) and isinstance(root, int | None)
    declared = isinstance(sql, str) and sql.upper().startswith("CREATE ")
    return kind in _TYPES and named and (declared or (sql is None and kind == "index"))
