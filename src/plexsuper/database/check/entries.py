"""Entries of an index with one column, or the same made of a table's rows: some thousand at a time, as arrays.

Most keys are short texts and whole numbers. They are laid side by side in words of eight bytes, so that hashing and comparing
a thousand takes as long as a few by themselves. What does not fit, a long text or a negative number, is kept apart as it is.
"""

import secrets
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plexsuper.database.btree.records import Value
from plexsuper.database.connection import decode, encode

Entry: TypeAlias = tuple[Value, ...]
"""A key, and the rowid."""

Column: TypeAlias = Sequence[Any] | bytes
"""The values of one column as Python's `sqlite3` gives them; or texts in UTF-8, with a zero between any two of them."""

LONGEST = 119
"""Bytes of a text that is laid in words: its record is shorter than 128 bytes, which is one cell of the simplest kind."""

MOST_WORDS = LONGEST // 8 + 1
HIGHEST = 1 << 47
"""Whole numbers below it, and none below 0, are laid in a word; rowids, too."""

NULL, NUMBER, ODD = 253, 254, 255
"""What `Entries.kinds` says of a key that is no text; of a text it says how many bytes it has."""

Words: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]
Kinds: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]

_FACTORS: Words = np.array([secrets.randbits(64) | 1 for _ in range(MOST_WORDS + 4)], dtype=np.uint64)
_HALF = np.uint64(32)
_PLACES = np.arange(MOST_WORDS * 8, dtype=np.uint8)
KEPT: Words = np.where(np.arange(LONGEST + 1)[:, None] > _PLACES, 0xFF, 0).astype(np.uint8).view(np.uint64)
"""For each length of a text the mask of its bytes."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Some entries: one row of `words`, one of `kinds` and one of `rowids` each; `odd` has those that do not fit, by place.

    A text lies in its words from the first byte on, followed by zeros; a number lies in the first word, its highest byte first.
    """

    words: Words
    kinds: Kinds
    rowids: Numbers
    odd: dict[int, Entry]

    @classmethod
    def of(cls, columns: Sequence[Column], rowids: Sequence[int]) -> Self:
        """Lay out the keys of *columns* and their *rowids*, at least one; keys of several columns are all odd."""
        numbers = np.frombuffer(array("q", rowids), np.int64)
        words, kinds = _lay_out(columns[0]) if len(columns) == 1 else _nothing(len(rowids))
        kinds[(numbers < 0) | (numbers >= HIGHEST)] = ODD
        found = cls(words, kinds, numbers, {})
        if places := np.flatnonzero(kinds == ODD).tolist():
            values = [
                decode(column).split("\0") if isinstance(column, bytes) else column for column in columns
            ]
            found.odd.update(
                (place, (*(column[place] for column in values), rowids[place])) for place in places
            )
        return found

    def replaced(self, places: Numbers, others: "Entries") -> "Entries":
        """The same with *others* at *places*."""
        width = max(self.words.shape[1], others.words.shape[1])
        words = np.zeros((len(self), width), np.uint64)
        words[:, : self.words.shape[1]] = self.words
        words[places] = 0
        words[places, : others.words.shape[1]] = others.words
        self.kinds[places], self.rowids[places] = others.kinds, others.rowids
        return Entries(
            words, self.kinds, self.rowids, {int(places[at]): odd for at, odd in others.odd.items()}
        )

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, place: int) -> Entry:
        if (odd := self.odd.get(place)) is not None:
            return odd
        kind, raw = int(self.kinds[place]), self.words[place].tobytes()
        rowid = int(self.rowids[place])
        if kind == NULL:
            return None, rowid
        return (int.from_bytes(raw[:8], "big") if kind == NUMBER else decode(raw[:kind])), rowid

    def parts(self) -> Iterator["Entries | Entry"]:
        """The same in turn: whatever lies between two odd ones, and these."""
        start = 0
        for place in (*sorted(self.odd), len(self)):
            if start < place:
                some = slice(start, place)
                yield Entries(self.words[some], self.kinds[some], self.rowids[some], {})
            if place < len(self):
                yield self.odd[place]
            start = place + 1

    def sum_of_hashes(self) -> int:
        """A number that two sets of entries have in common, in any order, only when they are equal.

        Each entry is hashed by random factors (multiply-add over its words), then mixed; a difference in few bits of many
        entries does not cancel out.
        """
        words = self.words ^ (self.words >> _HALF)
        width = words.shape[1]
        hashes = (words * _FACTORS[:width]).sum(axis=1, dtype=np.uint64)
        hashes += self.kinds * _FACTORS[-1] + self.rowids.view(np.uint64) * _FACTORS[-2]
        for factor in _FACTORS[-4:-2]:
            hashes ^= hashes >> _HALF
            hashes *= factor
        hashes ^= hashes >> _HALF
        hashes[list(self.odd)] = 0
        return int(hashes.sum(dtype=np.uint64)) + sum(map(_hash, self.odd.values()))


def _hash(entry: Entry) -> int:
    return hash(repr(list(map(_stored, entry))))


def _stored(value: Value) -> Value:
    """A column of floating point numbers holds whole ones as integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def windows(data: bytes, starts: Numbers, width: int) -> Words:
    """*width* words from each of *starts* on; *data* must go on behind them."""
    strides = np.ndarray((len(data) - 8 * width + 1, width), np.uint64, data, 0, (1, 8))
    found: Words = strides[starts]
    return found


def as_words(values: Numbers) -> Words:
    """Whole numbers as they are laid in a word: compared as bytes, they stand in their own order."""
    return values.astype(np.uint64).byteswap()


def words_for(size: int) -> int:
    """How many words a text of *size* bytes takes, at least one."""
    return size // 8 + 1


def _lay_out(keys: Column) -> tuple[Words, Kinds]:
    if isinstance(keys, bytes):
        return _texts(keys)
    return _numbers(np.array(keys)) if set(map(type, keys)) == {int} else _mixed(keys)


def _nothing(count: int) -> tuple[Words, Kinds]:
    return np.zeros((count, 1), np.uint64), np.full(count, ODD, np.uint8)


def _texts(joined: bytes, keys: Sequence[str] = ()) -> tuple[Words, Kinds]:
    raw = joined + b"\0"
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == 0)
    if keys and len(ends) != len(keys):  # a text with a zero
        ends = np.cumsum([len(encode(key)) + 1 for key in keys]) - 1
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts
    fits = sizes <= LONGEST
    short = np.where(fits, sizes, 0)
    width = words_for(int(short.max(initial=0)))
    words = windows(raw + bytes(8 * width), starts, width) & KEPT[short, :width]
    return words, np.where(fits, sizes, ODD).astype(np.uint8)


def _numbers(values: Numbers) -> tuple[Words, Kinds]:
    fits = (values >= 0) & (values < HIGHEST)
    return as_words(np.where(fits, values, 0))[:, None], np.where(fits, NUMBER, ODD).astype(np.uint8)


def _mixed(keys: Sequence[Any]) -> tuple[Words, Kinds]:
    texts = [key if isinstance(key, str) else "" for key in keys]
    words, kinds = _texts(encode("\0".join(texts)), texts)
    for place, key in enumerate(map(_stored, keys)):
        if key is None:
            kinds[place] = NULL
        elif isinstance(key, int) and 0 <= key < HIGHEST:
            kinds[place], words[place, 0] = NUMBER, as_words(np.array(key))
        elif not isinstance(key, str):
            kinds[place] = ODD
    return words, kinds
