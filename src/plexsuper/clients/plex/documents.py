"""Plex's answers in one shape: JSON (two generations of it) and XML become dicts of attributes and lists of children.

Shapes are those recorded from real servers: an empty list has no child at all; older servers put children into
`_children`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

from plexsuper.clients.plex.http import Answer

OLD = "_children"
"""A text with this may be in the form of older servers; all others need not be searched for it value by value."""


def document(answer: Answer) -> dict[str, Any]:
    """Return the root element of *answer* as one dict: attributes by name, children as lists by their tag.

    Raises:
        ValueError: the body is neither JSON nor XML as Plex writes it.
    """
    text = answer.body.decode("utf-8", "surrogateescape").lstrip("\ufeff \r\n\t")
    with shallow():
        if text.startswith("<"):
            return _root(_parse_xml(text))
        value = json.loads(text, strict=False)
        if not _is_wrapped(value):
            raise ValueError("not an answer of Plex: it has no container")
        return unwrap(value, old=OLD in text)


@contextmanager
def shallow() -> Iterator[None]:
    """Tell of what is nested too deeply to be read as the `ValueError` of every other text that is not Plex's."""
    try:
        yield
    except RecursionError as error:
        raise ValueError("nested too deeply to be Plex's") from error


def _is_wrapped(value: Any) -> bool:
    """Say whether *value* has the container of every answer: what is only some JSON must not pass for an empty list."""
    if not isinstance(value, dict):
        return False
    return "_elementType" in value or (len(value) == 1 and isinstance(next(iter(value.values())), dict))


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


def _root(element: ET.Element) -> dict[str, Any]:
    """Return what an answer holds; the page of a proxy can be sound XML, and must not pass for an empty list."""
    if f"{element.tag}".rpartition("}")[2].lower() == "html":
        raise ValueError("a page for people, not an answer of Plex")
    return _element(element)


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
