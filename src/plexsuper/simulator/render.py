"""Answers in Plex's two dialects: XML where every value is text, and JSON with real numbers and booleans."""

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from xml.sax.saxutils import quoteattr

from plexsuper.simulator.messages import Request, Response

Value: TypeAlias = str | int | float | bool

HEADERS = {"X-Plex-Protocol": "1.0", "Cache-Control": "no-cache"}
XML = "text/xml;charset=utf-8"
JSON = "application/json"
HTML = "text/html"

UNAUTHORIZED = b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
"""Recorded: the answer without a token is this page, also to a client that accepts only JSON."""

_ITEMS = {"Video", "Track", "Photo"}
_LONE = {"Context", "Response", "User", "Player", "Session"}
_ILLEGAL = {code: "\ufffd" for code in range(32) if code not in {9, 10, 13}}


@dataclass(slots=True)
class Element:
    """One element of an answer. A value of None is left out. `json_tag` is its name in JSON when it differs."""

    tag: str
    attributes: dict[str, Value | None] = field(default_factory=dict)
    children: "list[Element]" = field(default_factory=list)
    json_tag: str = ""


def container(children: list[Element], **attributes: Value | None) -> Element:
    """Return a `MediaContainer` that counts its children."""
    return Element("MediaContainer", {"size": len(children), **attributes}, children)


def reply(
    request: Request, root: Element, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer *request* with *root* in the dialect it asks for."""
    kind, body = (JSON, as_json(root)) if request.wants_json else (XML, as_xml(root))
    return Response(status, body, {**HEADERS, "Content-Type": kind, **(headers or {})})


def done(status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer an action: no body."""
    return Response(status, b"", {**HEADERS, "Content-Type": HTML, **(headers or {})})


def failure(status: int, text: str) -> Response:
    """Answer with an error page."""
    body = f"<html><head><title>{text}</title></head><body><h1>{status} {text}</h1></body></html>"
    return Response(status, body.encode(), {**HEADERS, "Content-Type": HTML})


def unauthorized() -> Response:
    """Answer 401."""
    return Response(401, UNAUTHORIZED, {**HEADERS, "Content-Type": HTML})


def as_xml(root: Element) -> bytes:
    """Return *root* as a document."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write_xml(root, parts, "")
    return "".join(parts).encode("utf-8", "replace")


def as_json(root: Element) -> bytes:
    """Return *root* as an object with one member; children are arrays named after their tag."""
    return json.dumps({root.tag: _plain(root)}, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def _write_xml(element: Element, parts: list[str], indent: str) -> None:
    parts.append(f"{indent}<{element.tag}")
    for name, value in element.attributes.items():
        if value is not None:
            parts.append(f" {name}={quoteattr(_text(value).translate(_ILLEGAL))}")
    if not element.children:
        parts.append("/>\n" if indent else ">\n" + f"</{element.tag}>\n")
        return
    parts.append(">\n")
    for child in element.children:
        _write_xml(child, parts, indent + "  ")
    parts.append(f"{indent}</{element.tag}>\n")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _plain(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in element.attributes.items() if value is not None}
    for child in element.children:
        tag = child.json_tag or ("Metadata" if child.tag in _ITEMS else child.tag)
        if tag in _LONE:
            found[tag] = _plain(child)
        else:
            found.setdefault(tag, []).append(_plain(child))
    return found
