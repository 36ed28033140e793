"""Why has an analysis left a file, and what is asked for once more? Pure.

A file is asked for once more if what kept it may have passed: Plex failed on it (its first read of a cold cache, say,
lesson F01), never opened it, or nothing tells why. One that is not in storage, that is empty, or that Plex opened
without a word of failure and yet does not count as analysed (as it does with some kinds of files) would be left again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from plexsuper.terms import LeftReason, Phase

SINGLY: Final = 1000
"""So many files at most are asked for one by one; of more the whole section is analysed once more, by one request."""

_MAY_PASS: Final[frozenset[LeftReason]] = frozenset({"failed", "unopened", "unknown"})


@dataclass(frozen=True, slots=True)
class Said:
    """What the logs said: the files that were opened, those that failed; not `whole` when a part of it is gone."""

    opened: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    whole: bool = False

    def updated(self, later: "Said") -> "Said":
        """Return what holds when *later*, the end of the same, is the last word about every file that was opened in it."""
        return replace(self, failed=later.failed | (self.failed - later.opened))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A file that is not analysed: its item, Plex's name for it, and why it is left."""

    item: int
    path: str
    reason: LeftReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondTry:
    """What is asked for once more: `files`, one by one or with the section as a `whole`."""

    files: tuple[Leftover, ...]
    whole: bool


def reason_of(file: str, size: int, said: Said, gone: frozenset[str]) -> LeftReason:
    """Return the first of the reasons that is known: what storage says comes before what Plex made of it."""
    if file in gone:
        return "gone"
    if size == 0:
        return "empty"
    if file in said.failed:
        return "failed"
    if file in said.opened:
        return "unmarked"
    return "unopened" if said.whole else "unknown"


def second_try(phase: Phase, left: Iterable[Leftover]) -> SecondTry | None:
    """Return what of *left* is asked for once more after *phase*; None when that would be no use.

    There is no request for the sonic analysis of one track: its task takes whatever is left.
    """
    passing = tuple(one for one in left if one.reason in _MAY_PASS)
    if not passing:
        return None
    return SecondTry(files=passing, whole=phase is not Phase.ANALYZE or len(passing) > SINGLY)
