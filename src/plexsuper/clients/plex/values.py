"""What Plex tells about itself, as small immutable values, and how its settings are written."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from plexsuper.errors import ServerAway, ServerRefused

NotUp: TypeAlias = Literal["refused", "unreachable", "maintenance", "migration", "starting", "error"]
"""Why a server is not ready, in the words of `PlexWaiting.state`."""


class ServerNotUp(ServerAway):
    """The server cannot work yet: `state` says why, `status` and `excerpt` what it answered (lesson L17)."""

    def __init__(self, message: str, *, state: NotUp, status: int | None = None, excerpt: str = "") -> None:
        super().__init__(message)
        self.state: NotUp = state
        self.status = status
        self.excerpt = excerpt


class NotAccepted(ServerRefused):
    """The server answers 401: it does not know our token, or knows it no more; `watch_server` tells of the latter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answers: needs no token. `machine` is Preferences.xml's `ProcessedMachineIdentifier`."""

    claimed: bool
    machine: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What the server's root says; `plex_pass` is needed for sonic analysis and markers (lesson F03)."""

    version: str
    machine: str
    claimed: bool
    plex_pass: bool
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A server setting; `value` and `default` are written as `normalise` does, so that equal ones compare equal."""

    id: str
    value: str
    default: str
    type: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSection:
    """A section that Plex lists and we cannot work with; `type` is Plex's own word, empty when the row makes no sense."""

    title: str
    type: str = ""

    def __str__(self) -> str:
        return f"{self.title} (type {self.type})" if self.type else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ButlerTask:
    """A maintenance task the server can run; `interval` is in days."""

    name: str
    title: str
    enabled: bool
    interval: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody plays something."""

    key: str
    title: str
    kind: str
    user: str

    @property
    def line(self) -> str:
        """Who watches what, in a few words."""
        return f"{self.user or 'somebody'}: {self.title}"


_TRUE = {"1", "true", "yes", "on"}


def normalise(value: Any, type_: str) -> str:
    """Return a setting's *value* as `PUT /:/prefs` takes it: bool as 0/1, whole numbers without a fraction.

    *type_* is the server's own word: bool, int, double or text. What does not fit its type stays as it is.
    """
    text = "" if value is None else str(value)
    match type_:
        case "bool":
            return "1" if text.strip().lower() in _TRUE else "0"
        case "int" | "double":
            try:
                number = float(text)
            except ValueError:
                return text
            return str(int(number)) if number.is_integer() else repr(number)
        case _:
            return text


def choices(listed: str) -> tuple[str, ...]:
    """Return the values a setting may have from Plex's `value:label|value:label`."""
    return tuple(pair.partition(":")[0] for pair in listed.split("|")) if listed else ()
