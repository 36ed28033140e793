"""Runs `Plex SQLite`, the shell in the Plex image, which has Plex's tokenizer and collation.

It takes the arguments of the `sqlite3` shell. The command may lead into a container (`docker run --rm -v … --entrypoint …`),
as long as the database has the same path there.
"""

import subprocess
from collections.abc import Sequence

from plexsuper.errors import DatabaseError

_PATIENCE = 6 * 3600.0


def run_plex_sqlite(command: Sequence[str], database: str, sql: str, *, read_only: bool) -> list[str]:
    """Let *command* run *sql* on *database* (a path or a `file:` URI); return the lines it printed.

    Raises:
        DatabaseError: it cannot be started, ends with an error, or prints one.
    """
    argv = [*command, *(["-readonly"] if read_only else []), database, sql]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DatabaseError(
            f"cannot run Plex SQLite ({command[0]}): {error}; leave it out to go on without"
        ) from error
    if done.returncode or done.stderr.strip():
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise DatabaseError(f"Plex SQLite failed on {database}: {said}")
    return done.stdout.splitlines()


def check_with_plex_sqlite(command: Sequence[str], uri: str) -> list[str]:
    """Let Plex's own SQLite check *uri* whole; return its complaints, none when it is sound.

    Raises:
        DatabaseError: it could not say anything.
    """
    lines = run_plex_sqlite(command, uri, "PRAGMA integrity_check;", read_only=True)
    if not lines:
        raise DatabaseError(f"Plex SQLite said nothing about {uri}; an empty answer is no verdict")
    return [] if lines == ["ok"] else lines
