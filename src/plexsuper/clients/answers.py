"""What Plex's answers say: JSON (two generations of it) and XML in one shape, then typed values.

Shapes are those recorded from real servers: XML gives every value as text, JSON gives booleans and numbers but
a section's `key` as text; an empty list has no child at all; older servers put children into `_children`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from xml.etree import ElementTree as ET

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from plexsuper.clients.http import Answer
from plexsuper.kinds import SectionType
from plexsuper.terms import Activity, Section


def document(answer: Answer) -> dict[str, Any]:
    """Return the root element of *answer* as one dict: attributes by name, children as lists by their tag.

    Raises:
        ValueError: the body is neither JSON nor XML as Plex writes it.
    """
    text = answer.body.decode("utf-8", "surrogateescape").lstrip("\ufeff \r\n\t")
    if text.startswith("<"):
        return _element(_parse_xml(text))
    return unwrap(json.loads(text, strict=False), old=OLD in text)


OLD = "_children"
"""A text with this may be in the form of older servers; all others need not be searched for it value by value."""


def unwrap(value: Any, *, old: bool) -> dict[str, Any]:
    """Take the one wrapper (`MediaContainer`, `ButlerTasks`, `MyPlex`, …) off a parsed JSON answer."""
    if not isinstance(value, dict):
        raise ValueError("a Plex answer is a JSON object")  # noqa: TRY004 - one error for every wrong shape
    if len(value) == 1:
        (inner,) = value.values()
        if isinstance(inner, dict):
            value = inner
    regrouped: dict[str, Any] = _regroup(value) if old else value
    return regrouped


def _parse_xml(text: str) -> ET.Element:
    try:
        return ET.fromstring(text.encode("utf-8", "replace"))  # noqa: S314 - the user's own server; expat limits expansion
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _element(element: ET.Element) -> dict[str, Any]:
    found: dict[str, Any] = dict(element.attrib)
    for child in element:
        found.setdefault(f"{child.tag}", []).append(_element(child))
    return found


def _regroup(value: Any) -> Any:
    """Give older JSON (`_elementType`, `_children`) the keyed lists of today's."""
    if isinstance(value, list):
        return [_regroup(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _regroup(item) for key, item in value.items() if key not in {"_children", "_elementType"}}
    for child in value.get("_children") or ():
        if isinstance(child, dict) and (tag := child.get("_elementType")):
            found.setdefault(tag, []).append(_regroup(child))
    return found


# --- rows --------------------------------------------------------------------------------------------


def _one(value: Any) -> Any:
    """A lone child is an object in JSON and a list of one in XML."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _many(value: Any) -> Any:
    return value if isinstance(value, list) else [] if value is None else [value]


def _number(value: Any) -> Any:
    """An attribute without a value is there as "" on some rows."""
    return None if value == "" else value


def _key(value: Any) -> Any:
    """A section's key is its id; menus and older lists write it as a path."""
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value


Number = Annotated[int | None, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(lambda value: value not in {"", None} and value)]


class Row(BaseModel):
    """One element of an answer; what is not named is ignored, text and numbers stand for each other."""

    model_config = ConfigDict(
        alias_generator=to_camel, coerce_numbers_to_str=True, extra="ignore", frozen=True
    )


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
    locations: Annotated[list[_LocationRow], BeforeValidator(_many)] = Field([], alias="Location")

    def section(self) -> Section:
        """Return it as the run knows it; raise `ValueError` for a type we do not know."""
        return Section(
            id=self.key,
            title=self.title,
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
    progress: Annotated[float | None, BeforeValidator(_number)] = None
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


class ButlerTaskRow(Row):
    """A `ButlerTask` of `GET /butler`."""

    name: str
    title: str = ""
    enabled: Flag = False
    interval: Number = None


class _UserRow(Row):
    title: str = ""


class SessionRow(Row):
    """A `Metadata` (XML: `Video`, `Track`, `Photo`) of `GET /status/sessions`."""

    session_key: str = ""
    title: str = ""
    type: str = ""
    user: Annotated[_UserRow | None, BeforeValidator(_one)] = Field(None, alias="User")


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of an answer that has not the shape we know; `text` is its beginning."""

    text: str


def rows(root: dict[str, Any], tag: str, shape: type[R]) -> Iterator[R | Unreadable]:
    """Give the children *tag* of an answer; one that does not fit must not hide the others."""
    for raw in _many(root.get(tag)):
        try:
            yield shape.model_validate(raw)
        except ValidationError:
            yield Unreadable(f"{raw!r:.200}")
