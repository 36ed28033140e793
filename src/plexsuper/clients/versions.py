"""The versions of what a run depends on, for the record."""

import importlib.metadata
import platform
import sqlite3


def versions() -> dict[str, str]:
    """Return the versions of plexsuper, Python, the kernel and SQLite."""
    return {
        "plexsuper": importlib.metadata.version("plexsuper"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "sqlite": sqlite3.sqlite_version,
    }
