"""Chooses which files of a section stand for all of them: a few, from everywhere, other ones each time."""

from collections.abc import Iterable
from typing import Final, TypeVar

F = TypeVar("F")

_MASK: Final = (1 << 64) - 1


def places(low: int, high: int, count: int, seed: int) -> tuple[int, ...]:
    """Return *count* numbers of *low* … *high*, ascending: one out of each stretch of equal length, chosen by *seed*."""
    if low > high or count < 1:
        return ()
    width = high - low + 1
    found = []
    for number in range(min(count, width)):
        first, last = number * width // min(count, width), (number + 1) * width // min(count, width)
        found.append(low + first + _scatter(seed * 0x1_0000_0001 + number) % (last - first))
    return tuple(found)


def spread(files: Iterable[tuple[str, F]], count: int) -> tuple[F, ...]:
    """Return at most *count* of *files* (each with its directory): one of each directory before a second of any.

    Where there are more directories than that, they are taken at equal distances.
    """
    folders: dict[str, list[F]] = {}
    for folder, file in files:
        folders.setdefault(folder, []).append(file)
    chosen: list[F] = []
    while folders and len(chosen) < count:
        names, room = list(folders), count - len(chosen)
        if len(names) > room:
            names = [names[number * len(names) // room] for number in range(room)]
        for name in names:
            chosen.append(folders[name].pop(0))
            if not folders[name]:
                del folders[name]
    return tuple(chosen)


def _scatter(number: int) -> int:
    """Return a number that looks random, always the same one (the finaliser of splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
