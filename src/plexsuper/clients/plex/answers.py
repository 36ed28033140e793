"""What Plex's answers say, as typed values.

XML gives every value as text, JSON gives booleans and numbers but a section's `key` as text (recorded from real
servers): both read the same here, and one odd value hides nothing else.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from plexsuper.clients.plex.values import ButlerTask, Preference, Session, choices, normalise
from plexsuper.kinds import SectionType
from plexsuper.terms import Activity, Section, section_title


def _one(value: Any) -> Any:
    """A lone child is an object in JSON and a list of one in XML."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


def many(value: Any) -> Any:
    """Return the children of one name as a list, of which a lone one may be left out."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _number(value: Any) -> float | None:
    """Return a number, also one that is a text; what is none ("" on some rows) is not known, and hides no row."""
    with suppress(ValueError, TypeError):
        if math.isfinite(number := float(value)):
            return number
    return None


def _whole(value: Any) -> int | None:
    number = value if isinstance(value, int) else _number(value)
    return None if number is None else int(number)


def flag(value: Any) -> bool:
    """Say whether *value* is a yes: a truth value, a number, or a word for one."""
    return str(value).strip().lower() not in {"", "0", "0.0", "false", "no", "off", "none"}


def _key(value: Any) -> Any:
    """A section's key is its id; menus and older lists write it as a path."""
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value


Number = Annotated[int | None, BeforeValidator(_whole)]
Share = Annotated[float | None, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(flag)]


class Row(BaseModel):
    """One element of an answer; what is not named is ignored, text and numbers stand for each other, null is nothing."""

    model_config = ConfigDict(
        alias_generator=to_camel, coerce_numbers_to_str=True, extra="ignore", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and None in raw.values():
            return {name: value for name, value in raw.items() if value is not None}
        return raw


class _LocationRow(Row):
    path: str


class SectionRow(Row):
    """A `Directory` of `GET /library/sections`."""

    key: Annotated[int, BeforeValidator(_key)]
    type: str
    title: str = ""
    agent: str = ""
    scanner: str = ""
    language: str = ""
    refreshing: Flag = False
    scanned_at: Number = None
    locations: Annotated[list[_LocationRow], BeforeValidator(many)] = Field([], alias="Location")

    def section(self) -> Section:
        """Return it as the run knows it; raise `ValueError` for a type we do not know."""
        return Section(
            id=self.key,
            title=section_title(self.title, self.key),
            type=SectionType.from_api(self.type),
            locations=tuple(location.path for location in self.locations),
            agent=self.agent,
            scanner=self.scanner,
            language=self.language,
            refreshing=self.refreshing,
            scanned_at=self.scanned_at,
        )


class _ContextRow(Row):
    library_section_id: Number = Field(None, alias="librarySectionID")


class ActivityRow(Row):
    """An `Activity` of `GET /activities` or of a notification; its section is on its `Context`, not on itself."""

    uuid: str
    type: str = ""
    title: str = ""
    subtitle: str = ""
    progress: Share = None
    cancellable: Flag = False
    context: Annotated[_ContextRow | None, BeforeValidator(_one)] = Field(None, alias="Context")

    def activity(self) -> Activity:
        """Return it as the run knows it; a progress of -1 means that Plex does not know it."""
        known = self.progress is not None and self.progress >= 0
        return Activity(
            uuid=self.uuid,
            kind=self.type,
            title=self.title,
            subtitle=self.subtitle,
            section=self.context.library_section_id if self.context else None,
            progress=self.progress if known else None,
            cancellable=self.cancellable,
        )


class SettingRow(Row):
    """A `Setting` of `GET /:/prefs`."""

    id: str
    type: str = "text"
    value: Any = ""
    default: Any = ""
    enum_values: str = ""

    def preference(self) -> Preference:
        """Return it as the run knows it."""
        return Preference(
            id=self.id,
            value=normalise(self.value, self.type),
            default=normalise(self.default, self.type),
            type=self.type,
            choices=choices(self.enum_values),
        )


class ButlerTaskRow(Row):
    """A `ButlerTask` of `GET /butler`."""

    name: str
    title: str = ""
    enabled: Flag = False
    interval: Number = None

    def task(self) -> ButlerTask:
        """Return it as the run knows it."""
        return ButlerTask(name=self.name, title=self.title, enabled=self.enabled, interval=self.interval)


class _UserRow(Row):
    title: str = ""


class SessionRow(Row):
    """A `Metadata` (XML: `Video`, `Track`, `Photo`) of `GET /status/sessions`."""

    session_key: str = ""
    title: str = ""
    type: str = ""
    user: Annotated[_UserRow | None, BeforeValidator(_one)] = Field(None, alias="User")

    def session(self) -> Session:
        """Return it as the run knows it."""
        user = "" if self.user is None else self.user.title
        return Session(key=self.session_key, title=self.title, kind=self.type, user=user)


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of an answer that has not the shape we know; `text` is its beginning."""

    text: str


def rows(raw: Any, shape: type[R]) -> Iterator[R | Unreadable]:
    """Read the children of one name as they stand in an answer; one that does not fit must not hide the others."""
    for row in many(raw):
        try:
            yield shape.model_validate(row)
        except ValidationError:
            yield Unreadable(f"{row!r:.200}")


def readable(raw: Any, shape: type[R]) -> Iterator[R]:
    """Give those of `rows` that fit."""
    return (row for row in rows(raw, shape) if not isinstance(row, Unreadable))
