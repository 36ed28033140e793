"""Hides secrets in any text that leaves the process: events, errors, logs and reports (lesson F05)."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

HIDDEN: Final = "***"

# Shorter ones would hide innocent words; real tokens have 20 characters and claims 25 or more.
_SHORTEST_SECRET: Final = 4

# Names that are followed by a secret; those of the second line mean one only before "=" ("Plex Pass: no" is none).
_NAMES: Final = (
    r"(?:X-Plex-Token|PlexOnlineToken|auth(?:entication|orization)?[-_]?token|(?:access|refresh)[-_]?token"
    r"|PLEX_TOKEN|PLEX_CLAIM|PLEXSUPER_PLEX__(?:TOKEN|CLAIM)|client_secret"
    r"|[\w-]*secret[-_]access[-_]key|[\w-]*access[-_]key[-_]id)"
)
_NAMES_BEFORE_EQUALS: Final = r"(?:[\w-]*pass(?:word)?2?|[\w-]*token)"
# Names and values may be quoted, and the quotes escaped where a text is held by another one.
_QUOTE: Final = r"""(?:\\*["'])?"""
_VALUE: Final = r"""(?:(?<=")(?:[^"\\\n]|\\[^"\n])+|(?<=')(?:[^'\\\n]|\\[^'\n])+|[^\s&"'<>,;)}\]]+)"""

_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<keep>(?<![A-Za-z0-9]){_NAMES}{_QUOTE}\s*(?:=|:|%3D)\s*{_QUOTE}){_VALUE}",
        rf"(?P<keep>(?<![A-Za-z0-9]){_NAMES_BEFORE_EQUALS}{_QUOTE}\s*=\s*{_QUOTE}){_VALUE}",
        # an option and its value in an argument list
        rf"(?P<keep>--[\w-]*(?:pass(?:word)?|token|secret-access-key|access-key-id|claim){_QUOTE},?\s+{_QUOTE}){_VALUE}",
        # an element: <authentication-token>…</authentication-token>
        r"(?P<keep><auth(?:entication)?[-_]?token>)[^<]+",
        # a user's password in an address: http://user:secret@host
        r"(?P<keep>://[^\s/:@]*:)[^\s/@]+(?=@)",
        # a claim has a form of its own; it is valid for four minutes and can be used once
        r"(?P<keep>claim-)[A-Za-z0-9_-]{4,}",
    )
)


_HINTS: Final = ("token", "claim", "pass", "secret", "access", "://")
"""Whatever a pattern finds holds one of these; looking for them first makes innocent texts, nearly all, cheap."""


def redact(text: str) -> str:
    """Return *text* with the value of everything that looks like a secret replaced by `***`."""
    folded = text.casefold()
    if not any(hint in folded for hint in _HINTS):
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


class Redactor:
    """Hides known secrets wherever they stand, besides everything that `redact` recognises."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Hide *secret* from now on; a text that is too short to be a secret is ignored."""
        if len(secret) >= _SHORTEST_SECRET:
            known = {*self._secrets, secret, *_escaped(secret)}
            # The longest first: a secret may be part of another one.
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return *text* without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return redact(text)


def _escaped(secret: str) -> Iterator[str]:
    """Yield what *secret* looks like inside the text of a Python value, with either kind of quotes, or of JSON."""
    yield repr(secret)[1:-1]
    both = "\"'"
    yield repr(f"{both}{secret}")[len(repr(both)) - 1 : -1]
    yield json.dumps(secret)[1:-1]
