"""Says which of two keys every ICU order puts first, where all of them agree."""

import re
import unicodedata

from plexsuper.database.btree.records import Value

_RANKS = {type(None): 0, int: 1, float: 1, str: 2, bytes: 3}
_DIGITS = re.compile("[0-9]*")
_WEIGHTY = re.compile("[A-Za-z0-9]")


class UnknownOrderError(Exception):
    """Only Plex can tell the order."""


def precedes(one: Value, two: Value) -> bool:
    """Say whether the key *one* stands before the key *two*, which is another one.

    Sure are: SQLite's order of types; a text that the other continues with letters or digits; and where two texts first differ, two
    different plain letters, a digit before a letter, and two numbers of the same length, because the orders differ on whether
    numbers count by value. Marks that follow a letter may change it.

    Raises:
        UnknownOrderError: the orders differ on it.
    """
    ranks = _RANKS[type(one)], _RANKS[type(two)]
    if ranks[0] != ranks[1]:
        return ranks[0] < ranks[1]
    if isinstance(one, str) and isinstance(two, str):
        return _text_precedes(one, two)
    if isinstance(one, int | float) and isinstance(two, int | float):
        return one < two
    if isinstance(one, bytes) and isinstance(two, bytes):
        return one < two
    raise UnknownOrderError(one, two)


def _text_precedes(one: str, two: str) -> bool:
    same = next(
        (at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two))
    )
    first, second = one[same:], two[same:]
    if not first or not second:
        longer = first or second
        if _is_mark(longer[0]) or not _WEIGHTY.search(longer):
            raise UnknownOrderError(one, two)
        return not first
    left, right = first[0].lower(), second[0].lower()
    if left == right or not (_is_plain(first) and _is_plain(second)):
        raise UnknownOrderError(one, two)
    after_digit = one[same - 1 : same].isdigit() if same else False
    if left.isdigit() and right.isdigit():
        if _run(first) != _run(second):
            raise UnknownOrderError(one, two)
    elif after_digit and (left.isdigit() or right.isdigit()):
        raise UnknownOrderError(one, two)
    return left < right


def _is_plain(rest: str) -> bool:
    """Whether *rest* begins with a letter or digit that nothing behind it can change."""
    return rest[0].isascii() and rest[0].isalnum() and not (len(rest) > 1 and _is_mark(rest[1]))


def _is_mark(character: str) -> bool:
    """Whether *character* may change the one before it, or weigh nothing."""
    return not character.isascii() and not unicodedata.category(character).startswith("L")


def _run(rest: str) -> int:
    found = _DIGITS.match(rest)
    return found.end() if found else 0
