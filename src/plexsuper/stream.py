"""The event stream: stamps facts with time, run and sequence, and turns them into versioned JSON lines.

One line is `{"v":1,"ts":…,"run":…,"seq":…,"type":…,"level":…,"phase":…,"section":…,"data":{…}}`; times are
UTC with milliseconds. `schema()` is the published JSON Schema (2020-12) that every line satisfies, and `parse`
turns a line back into its event, so that a recorded stream replays.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from plexsuper import events as e
from plexsuper.bus import Bus
from plexsuper.decisions.clocks import Clocks
from plexsuper.errors import StateError
from plexsuper.events.figures import rounded
from plexsuper.redact import Redactor
from plexsuper.state import Now, see
from plexsuper.terms import SectionRef

VERSION = 1

_SURROGATE = re.compile("[\ud800-\udfff]")  # U+DC80 … U+DCFF stand for the bytes of a name that is not UTF-8


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """An event with its place in the run: `ts` is UTC, aware, `seq` counts from 1, `now` is the picture after it."""

    ts: datetime
    run: str
    seq: int
    event: e.Event
    now: Now

    @cached_property
    def line(self) -> bytes:
        """The envelope as `encode` writes it, made once for all who write it down."""
        return encode(self)

    @property
    def stamp(self) -> str:
        """`ts` as it is written."""
        return f"{self.ts.isoformat(timespec='milliseconds')[:-6]}Z"

    @property
    def steady(self) -> datetime:
        """`ts` as it would be if nobody had set the machine's clock since the run began: for what lasts how long."""
        return self.ts - timedelta(seconds=self.now.jumped)

    @cached_property
    def type(self) -> str:
        """The dotted, stable name of the event."""
        return type_name(type(self.event))

    @cached_property
    def level(self) -> e.Level:
        """How much this event deserves a reader's attention."""
        return e.level_of(self.event)

    @cached_property
    def phase(self) -> str:
        """The phase the event speaks of, else the one the run is in (see `Now.label`)."""
        if isinstance(self.event, e.SectionPhaseFinished):
            return self.event.report.phase.value
        return self.now.label

    @cached_property
    def section(self) -> SectionRef | None:
        """The section the event speaks of, else the one in hand; None for a section foreign to this run."""
        about = getattr(self.event, "section", None)
        if isinstance(about, int):
            return next((ref for ref in self.now.sections if ref.id == about), None)
        return about if isinstance(about, SectionRef) else self.now.section


def type_name(cls: type[e.Event]) -> str:
    """Return the dotted name of an event class: `SectionPhaseStarted` is `section.phase.started`."""
    return _dotted(cls.__name__)


@cache
def _dotted(name: str) -> str:
    return ".".join(re.findall(r"[A-Z][a-z]*", name)).lower()


# Made with the module and not when first wanted: pydantic then looks for plugins on disk, which must not happen on
# the event loop.
_ADAPTERS: dict[str, TypeAdapter[Any]] = {type_name(cls): TypeAdapter(cls) for cls in e.EVENT_TYPES}


class Recorder:
    """Stamps every fact of a run the moment it is published and hands the envelopes on.

    Tap it into the bus of facts; subscribe to `envelopes` to show or store them. *steady* counts seconds whatever
    happens to *clock*: with it, a clock that jumps is told of.
    """

    def __init__(
        self,
        *,
        run: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        redactor: Redactor | None = None,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.run = run
        self.now = Now()
        self.envelopes: Bus[Envelope] = Bus()
        self._clock = clock
        self._redactor = redactor or Redactor()
        self._seq = 0
        self._steady = steady
        self._clocks = Clocks()

    def go_on_after(self, seq: int) -> None:
        """Number the next event as the one after *seq*: the run goes on where another process left it."""
        self._seq = seq

    def record(self, event: e.Event) -> None:
        """Stamp *event* and publish its envelope: without a secret that got into it (lesson F05), its numbers rounded."""
        ts = self._clock()
        # As it is written: a replay shows the same
        ts = ts.replace(microsecond=ts.microsecond // 1000 * 1000)
        if self._steady is not None and (jump := self._clocks.jump(ts.timestamp(), self._steady())):
            self._stamp(rounded(e.ClockJumped(seconds=jump)), ts)
        self._stamp(rounded(_without_secrets(event, self._redactor)), ts)

    def _stamp(self, event: e.Event, ts: datetime) -> None:
        self._seq += 1
        self.now = see(self.now, event)
        stamped = Envelope(ts=ts, run=self.run, seq=self._seq, event=event, now=self.now)
        self.envelopes.publish(stamped)


def encode(envelope: Envelope) -> bytes:
    """Return *envelope* as one JSON line, line feed included; a number that is not finite becomes null."""
    section = envelope.section
    line = {
        "v": VERSION,
        "ts": envelope.stamp,
        "run": envelope.run,
        "seq": envelope.seq,
        "type": envelope.type,
        "level": envelope.level,
        "phase": envelope.phase,
        "section": None if section is None else {"id": section.id, "title": section.title},
        "data": _ADAPTERS[envelope.type].dump_python(envelope.event, mode="json"),
    }
    try:
        return to_json(line, inf_nan_mode="null") + b"\n"
    except PydanticSerializationError:  # a path that is not UTF-8 reached an event as lone surrogates
        return to_json(_presentable(line), inf_nan_mode="null") + b"\n"


def parse(line: bytes | str) -> tuple[dict[str, Any], e.Event]:
    """Return the head of a recorded line and its event; raise `StateError` if it is not one of ours.

    A line whose data has more than we know is ours; a line of another version of the stream is not.
    """
    try:
        head = from_json(line)
        if head["v"] != VERSION:
            raise StateError(f"event stream version {head['v']!r}; this plexsuper reads version {VERSION}")
        event = _ADAPTERS[head["type"]].validate_python(head.pop("data"))
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise StateError(f"not a line of a plexsuper event stream: {line!r:.200}") from error
    return head, event


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one line of the stream."""
    refs, shared = TypeAdapter.json_schemas(
        [(name, "serialization", _ADAPTERS[name]) for name in _ADAPTERS],
        ref_template="#/$defs/{model}",
    )
    alternatives = [
        {
            "properties": {"type": {"const": type_name(cls)}, "data": refs[type_name(cls), "serialization"]},
            "description": inspect.cleandoc(cls.__doc__ or ""),
        }
        for cls in e.EVENT_TYPES
    ]
    section = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "title": {"type": "string"}},
        "required": ["id", "title"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {
        "v": {"const": VERSION},
        "ts": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "run": {"type": "string"},
        "seq": {"type": "integer", "minimum": 1},
        "type": {"enum": [type_name(cls) for cls in e.EVENT_TYPES]},
        "level": {"enum": ["debug", "info", "warning", "error"]},
        "phase": {"type": "string"},
        "section": {"oneOf": [{"type": "null"}, section]},
        "data": {"type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:plexsuper:events:{VERSION}",
        "title": "One line of a plexsuper event stream",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "oneOf": alternatives,
        "$defs": shared.get("$defs", {}),
    }


def _without_secrets(event: e.Event, redactor: Redactor) -> e.Event:
    if redactor(shown := repr(event)) == shown:
        return event
    adapter = _ADAPTERS[type_name(type(event))]
    clean: e.Event = adapter.validate_python(_redacted(adapter.dump_python(event), redactor))
    return clean


def _redacted(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor(_presentable(value))  # lone surrogates are no text to pydantic
    if isinstance(value, dict):
        return {_redacted(key, redactor): _redacted(item, redactor) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, redactor) for item in value]
    return value


def _presentable(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(_escape, value)
    if isinstance(value, dict):
        return {_presentable(key): _presentable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_presentable(item) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
