"""Decides what became of entries that a section has lost: which are true, which are to be healed, which are lost.

A removal is true when storage itself says that the file is gone; everything else is taken back if it can be.
Storage that does not answer has not said "gone".
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from plexsuper.terms import Fate, Removal, RemovalCounts

FEW_FOLDERS: Final = 20
"""So many folders are scanned again by path; for more a scan of the whole section costs less."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a file is in storage, and for `unknown` why nobody can tell."""

    kind: Literal["present", "gone", "unknown"]
    reason: str = ""


PRESENT: Final = Presence("present")
GONE: Final = Presence("gone")


def unknown(reason: str) -> Presence:
    """Return that nobody can tell, because of *reason*."""
    return Presence("unknown", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """A file's entry that was live when the section was written down and is not now.

    `part` and `item` are Plex's ids. `purged`: the row is gone for good; otherwise it is in the trash. `moved_to` is
    the file of a live entry of the section that came since and has the same content, or name and size: its new place,
    or `file` itself when Plex made a new entry for it.
    """

    part: int
    item: int | None
    title: str
    file: str
    size: int
    purged: bool
    moved_to: str | None = None

    @property
    def trashed(self) -> bool:
        """Whether its row is still there, in the trash."""
        return not self.purged


Finding: TypeAlias = Literal["confirmed", "moved", "reborn", "false", "unknown"]
"""What storage says to a removal: true, true because it lies elsewhere now, its file has a new entry, not true, nothing."""


def find(row: Vanished, presence: Presence | None) -> Finding:
    """Return what a removal is, given whether its file is in storage (None: it was not asked for).

    A file that lies elsewhere *and* at its old place is not moved; and where storage does not answer, an entry elsewhere
    proves nothing: the file may have been copied.
    """
    if row.moved_to == row.file:
        return "reborn"
    match presence:
        case Presence(kind="gone"):
            return "confirmed" if row.moved_to is None else "moved"
        case Presence(kind="present"):
            return "false"
        case _:
            return "unknown"


@dataclass(frozen=True, slots=True)
class Checked:
    """All removals of a section with what storage says to each."""

    findings: tuple[tuple[Vanished, Finding], ...]

    @property
    def to_heal(self) -> tuple[Vanished, ...]:
        """Those that a scan should take back: not true, or not known to be."""
        return tuple(row for row, finding in self.findings if finding in ("false", "unknown"))

    @property
    def all_true(self) -> bool:
        """Whether nothing has to be taken back."""
        return not self.to_heal


def check(rows: Iterable[Vanished], presences: Mapping[str, Presence]) -> Checked:
    """Hold removals against storage; *presences* by the rows' files."""
    return Checked(tuple((row, find(row, presences.get(row.file))) for row in rows))


def conclude(
    before: Checked,
    after: Checked | None = None,
    *,
    restored: Collection[int] = (),
) -> tuple[Removal, ...]:
    """Return what became of each removal in the end, in the order of their parts.

    Args:
        before: The removals as they were checked after the scan.
        after: The same once more after healing and restoring, if anything was tried; it may hold more.
        restored: The parts that were taken from the snapshot.
    """
    first = {row.part: (row, finding) for row, finding in before.findings}
    last = first if after is None else {row.part: (row, finding) for row, finding in after.findings}
    removals = []
    for part in sorted(first.keys() | last.keys()):
        row, finding = last.get(part) or first[part]
        fate = _final(finding) if part in last else _returned(first[part][1], part in restored)
        if fate is not None:
            removals.append(Removal(part=part, title=row.title, file=row.file, fate=fate))
    return tuple(removals)


def _final(finding: Finding) -> Fate:
    """Return what became of an entry that is still not there."""
    match finding:
        case "confirmed" | "moved" | "unknown":
            return finding
        case "reborn":
            return "healed"
        case "false":
            return "lost"


def _returned(finding: Finding, restored: bool) -> Fate | None:
    """Return what became of an entry that is there again; nothing, if its file has only been away for a while."""
    if restored:
        return "restored"
    return "healed" if finding in ("false", "unknown", "reborn") else None


def count(removals: Iterable[Removal]) -> RemovalCounts:
    """Count removals by what became of them."""
    counted: dict[Fate, int] = {}
    for removal in removals:
        counted[removal.fate] = counted.get(removal.fate, 0) + 1
    return RemovalCounts(**counted)


def folders_to_scan(
    rows: Iterable[Vanished], locations: Sequence[str], *, few: int = FEW_FOLDERS
) -> tuple[str, ...]:
    """Return the folders whose scan would take *rows* back; none: scan the whole section.

    A folder below another is left out. A file in a location itself, or in none, asks for the whole section.
    """
    roots = {location.rstrip("/") for location in locations}
    folders = {row.file.rpartition("/")[0] for row in rows}
    if any(folder in roots or not _is_below_one(folder, roots) for folder in folders):
        return ()
    tops = sorted(folder for folder in folders if not _is_below_one(folder, folders))
    return tuple(tops) if len(tops) <= few else ()


def _is_below_one(folder: str, others: Collection[str]) -> bool:
    parent = folder.rpartition("/")[0]
    while parent:
        if parent in others:
            return True
        parent = parent.rpartition("/")[0]
    return False


def trips(vanished: int, allowed: int) -> bool:
    """Say whether so many entries have vanished that storage must be asked before the scan goes on."""
    return vanished > allowed


def stale_share(found: int, sampled: int) -> float:
    """Return the share of a sample of a section's files that is not in storage; 0 of an empty section."""
    return (sampled - found) / sampled if sampled else 0.0


def may_scan(found: int, sampled: int, limit: float) -> bool:
    """Say whether a section may be scanned: a scan would remove everything that is not in storage."""
    return stale_share(found, sampled) <= limit
