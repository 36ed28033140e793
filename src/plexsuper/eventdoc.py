"""Writes `docs/events.md`, the reference of the event stream, from the types themselves.

`python -m plexsuper.eventdoc > docs/events.md` brings it up to date; a test says when that is due.
"""

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal

from plexsuper import events as e
from plexsuper.examples import MISHAPS, RUN, envelopes
from plexsuper.stream import encode, type_name

_LESSONS = re.compile(r" \(lessons? [^)]*\)")
_SIMPLE: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    object: "anything",
    types.NoneType: "null",
}
_INTRODUCTION = """\
# The event stream

plexsuper tells everything that happens as one stream of events. When standard output is no terminal, or with
`--events jsonl`, it is one JSON object a line:

```json
{example}
```

| field | what it is |
| --- | --- |
| `v` | version of this format: 1; it grows only when a reader of the old format would go wrong |
| `ts` | when it happened, UTC with milliseconds |
| `run` | name of the run, the same in all its lines |
| `seq` | 1, 2, 3 … in the order in which things happened; a gap means that lines were dropped |
| `type` | what happened, see below; the name never changes its meaning |
| `level` | `debug`, `info`, `warning` or `error`: how much attention it deserves |
| `phase` | where the run was: the phase of the section in hand (`scan`, `analyze`, `refresh`, `sonic`), else the stage, else `start` or `end` |
| `section` | `id` and `title` of the section it is about, else of the one in hand, else null |
| `data` | the event itself, see below |

Rules a reader can rely on: `run.started` is the first line and `run.finished` the last; at least one
`run.heartbeat` comes every 30 seconds; there are no secrets; all durations are seconds; numbers have
three decimals, those below 0.1 three digits; a number that is not finite is null; what is not UTF-8 in a path is written
as `\\xff`. New types and new fields may come without a new version: pass over what you do not know. A reader that is slow
or gone never holds up the run: lines are dropped, and `run.heartbeat` counts them in `dropped`.

The level of an event is the one given below, but some carry their own: `preflight.finding` its severity; a phase or
section that did not end well, files that are left, unreliable statistics and set-aside sections are warnings; failed stages,
preferences that could not be restored and failed runs are errors.

`plexsuper schema` prints a JSON Schema (2020-12) that every line satisfies. This page is made from the same types.
"""


def page() -> str:
    """Return the text of `docs/events.md`."""
    lines = {
        stamped.type: encode(stamped).decode().rstrip() for stamped in (*envelopes(MISHAPS), *envelopes(RUN))
    }
    introduction = _INTRODUCTION.replace("{example}", lines["mount.lost"])
    blocks = [introduction, _overview()]
    blocks += [_event(cls, lines[type_name(cls)]) for cls in e.EVENT_TYPES]
    terms = {term.__name__: term for cls in e.EVENT_TYPES for term in _terms(cls)}
    blocks += ["## Values\n", *(_value(terms[name]) for name in sorted(terms))]
    return "\n".join(blocks)


def _overview() -> str:
    rows = [
        f"| [`{type_name(c)}`](#{_anchor(c)}) | {c.level} | {_about(c).split('. ')[0].rstrip('.')} |"
        for c in e.EVENT_TYPES
    ]
    return "\n".join(["## Events\n", "| type | level | what happened |", "| --- | --- | --- |", *rows, ""])


def _anchor(cls: type[e.Event]) -> str:
    return type_name(cls).replace(".", "")


def _about(cls: type) -> str:
    return _LESSONS.sub("", inspect.cleandoc(cls.__doc__ or ""))


def _event(cls: type[e.Event], line: str) -> str:
    return "\n".join(
        [f"### {type_name(cls)}\n", f"{_about(cls)}\n", *_fields(cls), "```json", line, "```", ""]
    )


def _value(term: type) -> str:
    head = [f"### {term.__name__}\n", f"{_about(term)}\n"]
    if issubclass(term, Enum):
        return "\n".join([*head, ", ".join(f"`{member.value}`" for member in term), ""])
    return "\n".join([*head, *_fields(term)])


def _fields(cls: type) -> Iterator[str]:
    fields = dataclasses.fields(cls)
    if not fields:
        yield "It has no data.\n"
        return
    yield from ("| field | value |", "| --- | --- |")
    hints = typing.get_type_hints(cls)
    for field in fields:
        yield f"| `{field.name}` | {_words(hints[field.name])} |"
    yield ""


def _terms(hint: Any) -> Iterator[type]:
    """Yield the named values that *hint* is made of, however deep."""
    for inner in typing.get_args(hint):
        yield from _terms(inner)
    if not inspect.isclass(hint) or hint in _SIMPLE or typing.get_origin(hint):
        return
    if hint not in e.EVENT_TYPES:
        yield hint
    if dataclasses.is_dataclass(hint):
        for inner in typing.get_type_hints(hint).values():
            yield from _terms(inner)


def _words(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin is tuple:
        return f"list of {_words(args[0])}"
    if origin is dict:
        return f"object of {_words(args[1])}"
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_words(arg) for arg in args)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


if __name__ == "__main__":
    sys.stdout.write(page())
