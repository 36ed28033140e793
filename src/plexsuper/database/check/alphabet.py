"""Judges an index order that only Plex knows, as far as the alphabet goes.

The order follows ICU. What can still be said without ICU: entries with the same key stand together in the order of
their rowids, and two titles that begin with plain letters and differ within them must follow the alphabet in
every ICU locale; stray pages and shuffled cells break that.
"""

import re

import numpy as np

from plexsuper.database.btree.records import Value
from plexsuper.database.check.entries import KEPT, LONGEST, Entries, Entry
from plexsuper.database.check.order import comes_before, fold_ascii
from plexsuper.database.schema import Index

_LETTERS = re.compile(r"[A-Za-z]+")
_ALPHABETICAL = "icu_root"
_A, _ALPHABET = np.uint8(ord("a")), np.uint8(26)


class OrderWatch:
    """Sees the entries of an index one after the other and notices an order that no ICU locale has."""

    def __init__(self, index: Index) -> None:
        self._name = index.name
        self._judges = (
            len(index.terms) == 1
            and index.terms[0].collation.lower() == _ALPHABETICAL
            and not index.terms[0].descending
        )
        self._key: Value = None
        self._rowid: Value = None
        self._word = ""

    def take(self, entries: Entries) -> str:
        """Take the next entries; return what is wrong with the place of the first misplaced one, or nothing."""
        if not self._judges:
            return ""
        return next(filter(None, map(self._take, entries.parts())), "")

    def _take(self, part: Entries | Entry) -> str:
        if not isinstance(part, Entries):
            return self.next(part)
        words = _plausible_words(part)
        if words is None:
            return next(filter(None, (self.next(part[place]) for place in range(len(part)))), "")
        # Each entry follows the one before it; only the first ones follow something that was seen earlier
        said = next(filter(None, (self.next(part[place]) for place in sorted({0, *words[:1]}))), "")
        self._key, self._rowid = part[len(part) - 1]
        if words:
            self._word = str(part[words[-1]][0])
        return said

    def next(self, entry: tuple[Value, ...]) -> str:
        """Take the next entry; return what is wrong with its place, or nothing."""
        if not self._judges or len(entry) != 2:
            return ""
        key, rowid = entry
        earlier, self._key = self._key, key
        before, self._rowid = self._rowid, rowid
        if key == earlier and type(key) is type(earlier):
            if isinstance(rowid, int) and isinstance(before, int) and rowid <= before:
                return f"index {self._name}: row {rowid} stands behind row {before} of the same key"
            return ""
        if isinstance(key, str):
            return self._next_text(key, rowid)
        if isinstance(earlier, str) and not isinstance(key, bytes):
            return f"index {self._name}: row {rowid!r} without text stands behind text"
        return ""

    def _next_text(self, key: str, rowid: Value) -> str:
        word, letters = self._word, _leading_letters(key)
        if _LETTERS.match(key):
            self._word = key
        if _precedes(letters, _leading_letters(word)):
            return f"index {self._name}: {key!r} of row {rowid!r} stands behind {word!r}"
        return ""


def _plausible_words(part: Entries) -> list[int] | None:
    """The places of the keys that begin with a letter, if each entry of *part* may follow the one before it."""
    text = part.kinds <= LONGEST
    same = (part.words[1:] == part.words[:-1]).all(axis=1) & (part.kinds[1:] == part.kinds[:-1])
    if (same & (part.rowids[1:] <= part.rowids[:-1])).any() or (text[:-1] & ~text[1:]).any():
        return None
    folded = fold_ascii(part.words)
    # Behind each text there is at least one zero, so there is always a first byte that is no letter
    letters = np.where(text, ((folded.view(np.uint8) - _A) >= _ALPHABET).argmax(axis=1), 0)
    words = np.flatnonzero(letters)
    letters -= letters < part.kinds
    some, others = words[1:], words[:-1]
    both = KEPT[np.minimum(letters[some], letters[others]), : folded.shape[1]]
    if comes_before(folded[some] & both, folded[others] & both).any():
        return None
    return words.tolist()


def _leading_letters(key: str) -> str:
    found = _LETTERS.match(key)
    letters = found.group() if found else ""
    # A mark that follows the last letter may change it
    return letters[:-1].lower() if letters != key else letters.lower()


def _precedes(letters: str, earlier: str) -> bool:
    for one, two in zip(letters, earlier, strict=False):
        if one != two:
            return one < two
    return False
