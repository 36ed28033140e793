"""Turns whatever is wrong with the settings into findings: where, which key, why, and the nearest right name."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from plexsuper.config.file import Key
from plexsuper.config.model import Settings
from plexsuper.errors import SettingsError
from plexsuper.profiles import PROFILES
from plexsuper.redact import redact


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `place` is `file:line`, an environment variable or a flag; `key` is dotted."""

    place: str
    key: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.place, self.key) if part)
        return f"{where}: {self.reason}" + (f"; {self.hint}" if self.hint else "")


class WrongSettings(SettingsError):
    """The settings cannot be used; `findings` holds every reason."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        count = "One thing is" if len(findings) == 1 else f"{len(findings)} things are"
        lines = "\n".join(f"  {finding}" for finding in findings)
        super().__init__(
            f"{count} wrong with the settings; nothing was started:\n\n{lines}\n\n"
            "Correct that and try again. `plexsuper init` writes a commented settings file."
        )


def fields(model: type[BaseModel] = Settings, above: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every setting with its key, tables left out, in the order of the model."""
    for name, info in model.model_fields.items():
        table = table_of(info)
        if table is None:
            yield (*above, name), info
        else:
            yield from fields(table, (*above, name))


def table_of(info: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the table that *info* stands for; None for a single setting."""
    annotation = info.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


KEYS: Final[Mapping[Key, FieldInfo]] = dict(fields())
SECRET_KEYS: Final = frozenset(key for key, info in KEYS.items() if "SecretStr" in str(info.annotation))
_TABLES: Final = frozenset(key[:length] for key in KEYS for length in range(1, len(key)))


def from_validation(error: ValidationError, place: Callable[[Key], str]) -> Iterator[tuple[Key, Finding]]:
    """Yield a finding for each of *error*'s complaints, with the key of the value that caused it."""
    for complaint in error.errors(include_url=False):
        key = _key(complaint["loc"])
        reason, hint = _explain(key, complaint["type"], complaint["msg"], complaint.get("input"))
        yield key, Finding(place=place(key), key=".".join(key), reason=reason, hint=hint)


def unknown_key(key: Key) -> tuple[str, str]:
    """Return the reason and the hint for a *key* that is none of ours."""
    if key == ("timing", "stall_after"):
        return "is computed", "set timing.threshold and timing.interval: it is their product"
    return "unknown key", did_you_mean(".".join(nearest_key(key)))


def nearest_key(key: Key) -> Key:
    """Return the key that most likely was meant; empty if there is none like it."""
    joined = {"_".join(known): known for known in (*KEYS, *_TABLES)}  # also finds plex_url for plex.url
    if near := difflib.get_close_matches("_".join(key), joined, n=1, cutoff=0.85):
        return joined[near[0]]
    beside = {known[len(key) - 1]: known[: len(key)] for known in (*KEYS, *_TABLES) if _beside(known, key)}
    if near := difflib.get_close_matches(key[-1], beside, n=1):
        return beside[near[0]]
    # the right name in the wrong table, or a table left out
    elsewhere = {known[-1]: known for known in KEYS}
    near = difflib.get_close_matches(key[-1], elsewhere, n=1, cutoff=0.8)
    return elsewhere[near[0]] if near else ()


def _beside(known: Key, key: Key) -> bool:
    return len(known) >= len(key) and known[: len(key) - 1] == key[:-1]


def _key(location: tuple[int | str, ...]) -> Key:
    """Return the key at *location*: the numbers of list entries are left out."""
    return tuple(part for part in location if isinstance(part, str))


def did_you_mean(name: str) -> str:
    """Return the question, or nothing if *name* is empty."""
    return f"did you mean {name}?" if name else ""


def _explain(key: Key, kind: str, message: str, value: Any) -> tuple[str, str]:
    shown = "that" if key in SECRET_KEYS or isinstance(value, SecretStr) else redact(repr(value))
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind]}, not {shown}", ""
    match kind:
        case "extra_forbidden":
            return unknown_key(key)
        case "literal_error":
            choices = get_args(KEYS[key].annotation)
            return f"{shown} is not one of {', '.join(choices)}", _near(value, choices)
        case "value_error":
            return redact(message.removeprefix("Value error, ")), _near(value, _choices(key))
        case "greater_than_equal":
            return f"must be {message.removeprefix('Input should be ')}, not {shown}", ""
        case _:
            return redact(message), ""


_MUST_BE: Final[Mapping[str, str]] = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "tuple_type": "a list",
    "path_type": "a path",
}


def _choices(key: Key) -> Sequence[str]:
    return tuple(PROFILES) if key == ("profile",) else ()


def _near(value: object, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value), choices, n=1)
    return did_you_mean(near[0] if near else "")
