"""Some rows or index entries at a time, also by column: few enough to stay in the processor's cache."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self, TypeAlias

from plexsuper.database.btree.records import Value

Entry: TypeAlias = tuple[Value, ...]
"""The values of some columns, and the rowid."""

AT_ONCE = 256
"""With 1024 the same takes a tenth longer."""

_HASH_MODULUS = (1 << 61) - 1
"""Python's own: from here on two whole numbers may have one hash, as -1 and -2 have."""


class Column:
    """The *values* of one column, at least one."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    @cached_property
    def kinds(self) -> frozenset[type]:
        """Of which kinds the values are."""
        kind = type(self.values[0])
        if (kind is str and self._text is not None) or (kind is int and _are_counts(self.values)):
            return frozenset((kind,))  # most columns; seen at half the cost
        return frozenset(map(type, self.values))

    @cached_property
    def _text(self) -> str | None:
        try:
            return "".join(self.values)
        except TypeError:  # not all are texts
            return None

    @property
    def is_ascii(self) -> bool:
        """Whether all values are texts of ASCII."""
        return self._text is not None and self._text.isascii()

    @property
    def is_hashed_apart(self) -> bool:
        """Whether it is easily seen that each value is hashed apart."""
        if self._text is not None:
            return True
        return _are_counts(self.values) or self.kinds == {str, type(None)} or self.kinds == {type(None)}


def is_hashed_apart(value: Value) -> bool:
    """Whether no other value of a database has the hash of *value*: one has that of some numbers, and of bytes."""
    kind = type(value)
    return kind is str or value is None or (isinstance(value, int) and 0 <= value < _HASH_MODULUS)


def _are_counts(values: Sequence[Any]) -> bool:
    """Whether all of *values* are whole numbers, none negative or huge."""
    try:
        array("I", values)
    except TypeError:
        return False
    except OverflowError:
        return set(map(type, values)) == {int} and min(values) >= 0 and max(values) < _HASH_MODULUS
    return True


@dataclass(slots=True)
class Batch:
    """Some entries: `columns` without the rowids."""

    entries: list[Entry]
    columns: list[Column]
    rowids: list[Any]

    @classmethod
    def of(cls, entries: list[Entry]) -> Self:
        """Turn *entries* into columns."""
        width = len(entries[0])
        values = list(chain.from_iterable(entries))
        *columns, rowids = [values[at::width] for at in range(width)]
        return cls(entries, [Column(column) for column in columns], rowids)

    def hashed_apart(self) -> list[bool]:
        """For each column whether it is easily seen that all values and rowids are hashed apart."""
        rowids = _are_counts(self.rowids)
        return [rowids and column.is_hashed_apart for column in self.columns]
