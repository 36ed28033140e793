"""`Plex SQLite`: the shell for Plex's databases that stands in the image where Plex's own stands.

It takes SQL and the commonest dot commands as arguments or on standard input, prints rows with `|` between columns, and
knows what stock SQLite lacks (see `schema.py`). Unrealistic: only those options and commands of the real shell that
people use for checks and repairs.
"""

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from plexsuper.simulator.library.schema import teach


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out what the arguments or standard input say; return the exit code, 1 after the first error."""
    parser = argparse.ArgumentParser(prog="Plex SQLite", description=__doc__, allow_abbrev=False)
    parser.add_argument("-readonly", "--readonly", action="store_true")
    parser.add_argument("-json", "--json", action="store_true")
    parser.add_argument(
        "-version", "--version", action="version", version=f"{sqlite3.sqlite_version} (simulated)"
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("statement", nargs="*")
    options = parser.parse_args(argv)
    mode = "ro" if options.readonly else "rwc"
    try:
        uri = f"{options.database.resolve().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)) as conn:
            teach(conn)
            for statement in _statements(options.statement or sys.stdin):
                _carry_out(conn, statement, as_json=options.json)
    except sqlite3.Error as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _statements(lines: Iterable[str]) -> Iterator[str]:
    rest = ""
    for line in lines:
        if not rest and line.lstrip().startswith("."):
            yield line.strip()
            continue
        rest += line if line.endswith("\n") else f"{line}\n"
        if sqlite3.complete_statement(rest) or isinstance(lines, list):
            yield rest
            rest = ""
    if rest.strip():
        yield rest


def _carry_out(conn: sqlite3.Connection, statement: str, *, as_json: bool) -> None:
    command, _, argument = statement.partition(" ")
    match command:
        case ".dump":
            _print(conn.iterdump())
        case ".tables":
            rows = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            _print(name for (name,) in rows)
        case ".timeout":
            conn.execute(f"PRAGMA busy_timeout={int(argument)}")
        case _ if command.startswith("."):
            raise sqlite3.ProgrammingError(f'unknown command or invalid arguments: "{command[1:]}"')
        case _:
            cursor = conn.execute(statement)
            if as_json and cursor.description:
                names = [column[0] for column in cursor.description]
                _print([json.dumps([dict(zip(names, row, strict=True)) for row in cursor])])
            else:
                _print("|".join("" if value is None else str(value) for value in row) for row in cursor)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
