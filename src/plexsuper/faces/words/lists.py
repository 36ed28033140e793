"""Lists in a sentence."""

from collections.abc import Iterable


def listed(words: Iterable[str], nothing: str) -> str:
    """Return *words* with commas between them; *nothing* when there are none."""
    return ", ".join(words) or nothing


def open_in_plex(what: Iterable[str]) -> str:
    """Return what Plex says it is busy with."""
    return f"open in Plex: {listed(what, 'nothing')}"
