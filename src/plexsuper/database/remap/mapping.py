"""Which path becomes which, when media moves: pure, on bytes, because a path need not be UTF-8."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from plexsuper.errors import SettingsError

FILE_URL = b"file://"
KEYS = (("old", "new"), ("from", "to"), ("source", "target"), ("src", "dst"), ("old_path", "new_path"))
"""The spellings a mapping file may use for the two sides of an entry."""

_DRIVE = re.compile(rb"[A-Za-z]:(?=[\\/]|$)")
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}|[^%]|%", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PathMapping:
    """One folder that moved. No trailing separator; the root `/` is empty. Make it with `make_mapping`."""

    old: bytes
    new: bytes

    @property
    def separators(self) -> tuple[bytes, ...]:
        """What may follow *old* in a path below it."""
        return (b"\\", b"/") if is_windows(self.old) else (b"/",)

    @property
    def exact(self) -> tuple[bytes, ...]:
        """The ways to write the folder itself (a drive or the root is written with its separator)."""
        if not self.old:
            return (b"/",)
        bare = _DRIVE.fullmatch(self.old)
        return (self.old, *(self.old + s for s in self.separators)) if bare else (self.old,)

    @property
    def new_exact(self) -> bytes:
        """How the new folder itself is written."""
        if not self.new:
            return b"/"
        return self.new + b"\\" if _DRIVE.fullmatch(self.new) else self.new

    @property
    def exchange(self) -> tuple[bytes, bytes] | None:
        """The separator to replace in the rest of the path, and by which, between Windows and the others."""
        if is_windows(self.old) == is_windows(self.new):
            return None
        return (b"\\", b"/") if is_windows(self.old) else (b"/", b"\\")

    @property
    def changes(self) -> bool:
        """Whether it moves anything; one that does not protects its folder from a shorter mapping."""
        return self.old != self.new

    def translate(self, path: bytes) -> bytes | None:
        """Return where *path* is now, or None when it is not *old* or below it."""
        if path in self.exact:
            return self.new_exact
        rest = path[len(self.old) :]
        if not (path.startswith(self.old) and rest.startswith(self.separators)):
            return None
        return self.new + (rest.replace(*self.exchange) if self.exchange else rest)


@dataclass(frozen=True)
class MappingSet:
    """All folders that moved, applied at once: the longest match counts, and no result is translated again."""

    mappings: tuple[PathMapping, ...]

    @cached_property
    def longest_first(self) -> tuple[PathMapping, ...]:
        """The mappings in the order in which they are tried."""
        return tuple(sorted(self.mappings, key=lambda m: (-len(m.old), m.old)))

    @cached_property
    def in_urls(self) -> "MappingSet":
        """The same folders as they stand in the path of a `file://` URL (a Windows path gets slashes)."""
        return MappingSet(tuple(PathMapping(_in_url(m.old), _in_url(m.new)) for m in self.mappings))

    @cached_property
    def settles(self) -> bool:
        """Whether a second run changes nothing: no new folder is, holds or lies in an old one that moves.

        False for swaps, chains, and a folder that moves below itself; these need a record that they ran.
        """
        moved = [m for m in self.mappings if m.changes]
        return not any(_related(m.new, other.old) for m in moved for other in moved)

    def find(self, path: bytes) -> PathMapping | None:
        """Return the mapping that counts for *path*."""
        return next((m for m in self.longest_first if m.translate(path) is not None), None)

    def translate(self, path: bytes) -> bytes:
        """Return where *path* is now (itself when nothing moved it)."""
        mapping = self.find(path)
        moved = mapping.translate(path) if mapping else None
        return path if moved is None else moved

    def find_value(self, value: bytes) -> PathMapping | None:
        """Return the mapping that counts for a column's value (of `in_urls` when it is a `file://` URL)."""
        if value.startswith(FILE_URL):
            return self.in_urls.find(unquote_to_bytes(value[len(FILE_URL) :]))
        return self.find(value)

    def translate_value(self, value: bytes) -> bytes:
        """Translate a column's value: a path, or a `file://` URL whose path is percent-encoded."""
        if not value.startswith(FILE_URL):
            return self.translate(value)
        encoded = value[len(FILE_URL) :]
        path = unquote_to_bytes(encoded)
        mapping = self.in_urls.find(path)
        if mapping is None or not mapping.changes:
            return value
        if path in mapping.exact:
            return FILE_URL + _quote(mapping.new_exact)
        return (
            FILE_URL + _quote(mapping.new) + _skip(encoded, len(mapping.old))
        )  # the rest stays as Plex wrote it


def make_mapping(old: str | bytes, new: str | bytes) -> PathMapping:
    """Return the mapping of folder *old* to *new*; text is taken as file names are (surrogate escapes are bytes).

    Raises:
        SettingsError: one of them is not an absolute path.
    """
    return PathMapping(_normal(old), _normal(new))


def make_mappings(pairs: Iterable[tuple[str | bytes, str | bytes]]) -> MappingSet:
    """Return the set of *pairs* (old, new).

    Raises:
        SettingsError: none given, a path is not absolute, or one folder is to move to two places.
    """
    chosen: dict[bytes, PathMapping] = {}
    for old, new in pairs:
        mapping = make_mapping(old, new)
        if chosen.setdefault(mapping.old, mapping) != mapping:
            raise SettingsError(f"path mappings: {old!r} is mapped to two places; keep one of them")
    if not chosen:
        raise SettingsError("path mappings: none given; say --map OLD=NEW or name a mapping file")
    return MappingSet(tuple(chosen.values()))


def parse_pair(text: str) -> tuple[str, str]:
    """Split `OLD=NEW` at its first `=`; raise `SettingsError`. A folder with `=` in its name needs the JSON file."""
    old, sign, new = text.partition("=")
    if not (sign and old and new):
        raise SettingsError(f"path mapping {text!r}: write OLD=NEW, two absolute folders")
    return old, new


def parse_json(text: str | bytes) -> list[tuple[str, str]]:
    r"""Return the pairs of a mapping file, for `make_mappings`.

    The document is `{"mappings": M}` or M itself. M is a list of objects with two of the `KEYS` (other keys are
    comments), a list of two-element lists, or an object `{"/old": "/new"}`. A byte that is not UTF-8 is written as
    its surrogate escape, e.g. `\udcff`.

    Raises:
        SettingsError: it is something else.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"path mappings: not a JSON document: {error}") from error
    if isinstance(document, dict) and "mappings" in document:
        document = document["mappings"]
    entries: Iterable[Any] = document.items() if isinstance(document, dict) else document
    if not isinstance(document, dict | list):
        raise SettingsError("path mappings: expected an object or a list")
    return [_entry(entry) for entry in entries]


def is_windows(path: bytes) -> bool:
    r"""Say whether *path* is one of Windows (`D:\x`, `D:/x`, `\\server\share`)."""
    return path.startswith(b"\\\\") or _DRIVE.match(path) is not None


def _entry(entry: Any) -> tuple[str, str]:
    if isinstance(entry, Mapping):
        pair: Sequence[Any] = next(([entry[a], entry[b]] for a, b in KEYS if a in entry and b in entry), ())
    else:
        pair = entry if isinstance(entry, list | tuple) else ()
    if len(pair) != 2 or not all(isinstance(side, str) and side for side in pair):
        known = ", ".join("/".join(keys) for keys in KEYS)
        raise SettingsError(f"path mappings: {entry!r} is no mapping; give two folders under {known}")
    return pair[0], pair[1]


def _normal(path: str | bytes) -> bytes:
    raw = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    if b"\0" in raw or not (raw.startswith(b"/") or is_windows(raw)):
        raise SettingsError(f"path mappings: {path!r} is not an absolute path")
    return raw.rstrip(b"\\/") if is_windows(raw) else raw.rstrip(b"/")


def _related(one: bytes, two: bytes) -> bool:
    """Say whether one of two folders is the other or lies in it."""
    return any(
        PathMapping(outer, b"").translate(inner or b"/") is not None
        for outer, inner in ((one, two), (two, one))
    )


def _in_url(path: bytes) -> bytes:
    return b"/" + path.replace(b"\\", b"/") if is_windows(path) else path


def _quote(path: bytes) -> bytes:
    return quote_from_bytes(path, safe="/:").encode("ascii")


def _skip(encoded: bytes, count: int) -> bytes:
    """Return what follows the first *count* decoded bytes."""
    position = 0
    for match in _ESCAPED.finditer(encoded):
        if not count:
            break
        count -= 1
        position = match.end()
    return encoded[position:]
