"""Symbols and colours: one column wide each and always beside a word, so that nothing hangs on them.

The styles are names of the sixteen colours of the terminal's own theme: readable on dark and on light.
"""

from typing import NamedTuple

from plexsuper.events import Level
from plexsuper.terms import Outcome, Phase, Verdict


class Mark(NamedTuple):
    """A symbol, one column wide, and the style it is shown in."""

    symbol: str
    style: str


LEVELS: dict[Level, Mark] = {
    "debug": Mark(" ", "dim"),
    "info": Mark(" ", ""),
    "warning": Mark("!", "yellow"),
    "error": Mark("✘", "bold red"),
}

PHASES: dict[Phase, Mark] = {
    Phase.SCAN: Mark("⌕", "cyan"),
    Phase.ANALYZE: Mark("≋", "blue"),
    Phase.REFRESH: Mark("↻", "green"),
    Phase.SONIC: Mark("♪", "magenta"),
}

OUTCOMES: dict[Outcome, Mark] = {
    Outcome.DONE: Mark("✔", "green"),
    Outcome.SKIPPED: Mark("-", "dim"),
    Outcome.CANCELLED: Mark("◼", "yellow"),
    Outcome.STALLED: Mark("!", "yellow"),
    Outcome.UNSEEN: Mark("?", "yellow"),
    Outcome.CAPPED: Mark("!", "yellow"),
    Outcome.FAILED: Mark("✘", "bold red"),
    Outcome.SET_ASIDE: Mark("✘", "yellow"),
}

MOUNT: dict[str, Mark] = {
    "unknown": Mark("○", "dim"),
    "healthy": Mark("●", "green"),
    "suspected": Mark("◐", "yellow"),
    "lost": Mark("✘", "bold red"),
}

SERVER: dict[str, Mark] = {
    "unknown": Mark("○", "dim"),
    "stopped": Mark("○", "dim"),
    "ready": Mark("●", "green"),
    "lost": Mark("✘", "bold red"),
}

ON_THE_WAY = Mark("◐", "yellow")
"""A server on its way up, in whatever state."""

RUNNING = Mark("▸", "bold cyan")
WAITING = Mark("·", "dim")

_ASCII = str.maketrans(
    {
        "✘": "x",
        "✔": "+",
        "⌕": "o",
        "≋": "=",
        "↻": "@",
        "♪": "#",
        "◼": "#",
        "●": "*",
        "○": "o",
        "◐": "~",
        "▸": ">",
        "·": ".",
        "≈": "~",
        "…": ".",
        "→": ">",
        "━": "=",
        "╸": "=",
        "─": "-",
    }
)


def verdict(given: Verdict) -> Mark:
    """Return the mark of a run's end."""
    match given:
        case Verdict.DONE | Verdict.PLANNED | Verdict.TIDIED:
            return OUTCOMES[Outcome.DONE]
        case Verdict.SET_ASIDE:
            return OUTCOMES[Outcome.STALLED]
        case Verdict.INTERRUPTED:
            return OUTCOMES[Outcome.CANCELLED]
        case _:
            return OUTCOMES[Outcome.FAILED]


def encodable(text: str, encoding: str) -> bytes:
    """Return *text* in *encoding*; where that has no such signs, ASCII of the same width stands for ours."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace")
