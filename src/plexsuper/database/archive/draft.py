"""The names that archives have until they are whole, and what killed exports leave under them.

It knows nothing of how archives are written, so that whoever only clears up after one need not load that.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from plexsuper.database.holders import find_holders


def draft_of(archive: Path) -> Path:
    """Return the name that *archive* has until it is whole."""
    return archive.with_name(f".{archive.name}.partial")


def abandoned_drafts(archives: Iterable[Path]) -> tuple[Path, ...]:
    """Return what there is of drafts of *archives* that nobody has open: whoever wrote them was killed."""
    return tuple(draft for draft in map(draft_of, archives) if _is_abandoned(draft))


def remove_abandoned_drafts(archives: Iterable[Path]) -> None:
    """Remove the `abandoned_drafts` of *archives*, as far as this user may."""
    for draft in abandoned_drafts(archives):
        with suppress(OSError):
            draft.unlink()


def _is_abandoned(draft: Path) -> bool:
    with suppress(OSError):
        return draft.is_file() and not find_holders(draft)
    return False
