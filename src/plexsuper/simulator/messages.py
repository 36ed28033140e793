"""Requests and answers as the brain sees them, whatever carries them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; header names are lower case, `query` keeps order and repetitions, `local` is "from this host"."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    local: bool = True

    def argument(self, name: str) -> str | None:
        """Return the first query argument *name*; every `X-Plex-*` header may also come as one."""
        for key, value in self.query:
            if key == name:
                return value
        if name.startswith("X-Plex-"):
            return self.headers.get(name.lower())
        return None

    def arguments(self, name: str) -> tuple[str, ...]:
        """Return every query argument *name*."""
        return tuple(value for key, value in self.query if key == name)

    def number(self, name: str) -> int | None:
        """Return the argument *name* as a number, None if it is missing or is none."""
        value = self.argument(name)
        return int(value) if value is not None and value.lstrip("-").isdecimal() else None

    @property
    def wants_json(self) -> bool:
        """XML is the default answer."""
        return "application/json" in self.headers.get("accept", "")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `headers` has the content type too."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
