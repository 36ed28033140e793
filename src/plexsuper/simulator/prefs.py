"""The server's settings: the ids, types, defaults and choices recorded from a 1.43 server.

A setting of a Plex Pass does not exist on a server without one. Values that differ from their default are kept in
Preferences.xml.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from plexsuper.simulator.identity import PreferencesFile
from plexsuper.simulator.render import Element, Value


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the server describes it; `default` is text, booleans are `true` and `false`."""

    id: str
    type: str
    default: str
    hidden: bool
    advanced: bool
    needs_pass: bool
    group: str
    choices: str
    label: str

    def read(self, text: str) -> Value:
        """Return *text* as a value of this setting's type; raise `ValueError` if it is none."""
        match self.type:
            case "bool":
                if text.lower() not in {"0", "1", "true", "false"}:
                    raise ValueError(f"{text!r} is no boolean")
                return text.lower() in {"1", "true"}
            case "int":
                return int(text)
            case "double":
                return float(text)
            case _:
                return text


@cache
def catalogue() -> Mapping[str, Setting]:
    """Return every setting of a server with Plex Pass, in the server's order."""
    text = resources.files("plexsuper.simulator").joinpath("preferences.tsv").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, kind, default, flags, group, choices, label = line.split("\t")
            found[name] = Setting(
                name, kind, default, "h" in flags, "a" in flags, "p" in flags, group, choices, label
            )
    return found


@cache
def _without_pass() -> Mapping[str, Setting]:
    return {name: setting for name, setting in catalogue().items() if not setting.needs_pass}


class Preferences:
    """The current values."""

    def __init__(self, file: PreferencesFile, *, plex_pass: bool) -> None:
        self._file = file
        self.plex_pass = plex_pass
        """Whether the settings of a Plex Pass exist; it changes when a server is claimed."""

    @property
    def _known(self) -> Mapping[str, Setting]:
        return catalogue() if self.plex_pass else _without_pass()

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def text(self, name: str) -> str:
        """Return a value as text, booleans as `0` and `1`; empty for a setting this server does not have."""
        value = self.value(name)
        return str(int(value)) if isinstance(value, bool) else str(value)

    def on(self, name: str) -> bool:
        """Say whether a boolean setting is on; false for a setting this server does not have."""
        return self.value(name) is True

    def value(self, name: str) -> Value:
        """Return a value in its own type; empty text for a setting this server does not have."""
        setting = self._known.get(name)
        if setting is None:
            return ""
        stored = self._file.values.get(name)
        try:
            return setting.read(setting.default if stored is None else stored)
        except ValueError:  # somebody edited the file by hand
            return setting.read(setting.default)

    def change(self, values: Mapping[str, str]) -> tuple[dict[str, Value], tuple[str, ...]]:
        """Set what this server knows; return what really changed, and the ids it does not know.

        Raises:
            ValueError: a value is not of its setting's type; nothing was set.
        """
        read = {name: self._known[name].read(text) for name, text in values.items() if name in self._known}
        unknown = tuple(name for name in values if name not in self._known)
        changed = {name: value for name, value in read.items() if value != self.value(name)}
        self._file.change({name: self._stored(name, value) for name, value in changed.items()})
        return changed, unknown

    def element(self, name: str) -> Element:
        """Return one setting as the API shows it."""
        setting = self._known[name]
        attributes: dict[str, Value | None] = {
            "id": name,
            "label": setting.label,
            "summary": "",
            "type": setting.type,
            "default": setting.read(setting.default),
            "value": self.value(name),
            "hidden": setting.hidden,
            "advanced": setting.advanced,
            "group": setting.group,
            "enumValues": setting.choices or None,
        }
        return Element("Setting", attributes)

    def elements(self) -> Iterator[Element]:
        """Return all settings."""
        return (self.element(name) for name in self._known)

    def _stored(self, name: str, value: Value) -> str | None:
        setting = self._known[name]
        if value == setting.read(setting.default):
            return None
        return str(int(value)) if isinstance(value, bool) else str(value)
