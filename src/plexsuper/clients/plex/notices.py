"""What Plex's notification frames say, as typed notices."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import Field, ValidationError

from plexsuper.clients.plex.answers import ActivityRow, Number, Row, many
from plexsuper.clients.plex.documents import OLD, shallow, unwrap
from plexsuper.terms import Activity

LIBRARY = "com.plexapp.plugins.library"

UNKNOWN, CREATED, FINISHED, DELETED = -1, 0, 5, 9
"""The values of a timeline entry's `state` that mean something to a run (others are steps on the way)."""

_DECODER: Final = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityNotice:
    """An activity started, was updated or ended (`event` is Plex's own word)."""

    event: str
    activity: Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNotice:
    """A library item moved on. It is finished at state 5 without `metadata_state` and `queue_size`."""

    section: int
    item: int
    state: int
    metadata_state: str | None = None
    queue_size: int | None = None

    @property
    def finished(self) -> bool:
        """Plex is done with the item (recorded from clients that watch for new items)."""
        return self.state == FINISHED and self.metadata_state is None and self.queue_size is None

    @property
    def deleted(self) -> bool:
        """The item was removed."""
        return self.state == DELETED or self.metadata_state == "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNotice:
    """A notification that is no evidence of work; `text` is what it says, if anything."""

    kind: str
    text: str = ""


Notice: TypeAlias = ActivityNotice | ItemNotice | OtherNotice


class _ActivityRow(Row):
    event: str = ""
    uuid: str = ""
    activity: Any = Field(None, alias="Activity")


class _TimelineRow(Row):
    identifier: str = ""
    section: Number = Field(None, alias="sectionID")
    item: Number = Field(None, alias="itemID")
    state: Number = None
    metadata_state: str | None = None
    queue_size: Number = None


class _StatusRow(Row):
    title: str = ""
    message: str = ""


def parse_frame(text: str) -> tuple[Notice, ...]:
    """Return the notices of one WebSocket text frame.

    A frame is `{"NotificationContainer": {"type": T, "size": N, "<Key>": [...]}}`; older servers put the list
    into `_children`.

    Raises:
        ValueError: the frame is not of that shape.
    """
    with shallow():
        container = unwrap(_DECODER.decode(text), old=OLD in text)
    kind = container.get("type")
    if not isinstance(kind, str):
        raise ValueError("a notification without a type")  # noqa: TRY004 - one error for every wrong shape
    return tuple(_notices(kind, container))


def _notices(kind: str, container: dict[str, Any]) -> Iterator[Notice]:
    elements = [
        item for value in container.values() if isinstance(value, list | dict) for item in many(value)
    ]
    if not elements:
        yield OtherNotice(kind=kind)
    for element in elements:
        match kind:
            case "activity":
                yield _activity(element)
            case "timeline":
                yield _item(element)
            case _:
                yield OtherNotice(kind=kind, text=_text(element))


def _activity(element: Any) -> Notice:
    row = _ActivityRow.model_validate(element)
    inner = row.activity[0] if isinstance(row.activity, list) and row.activity else row.activity
    activity = ActivityRow.model_validate({"uuid": row.uuid, **(inner if isinstance(inner, dict) else {})})
    if not activity.uuid:
        raise ValueError("an activity without a uuid")
    return ActivityNotice(event=row.event, activity=activity.activity())


def _item(element: Any) -> Notice:
    row = _TimelineRow.model_validate(element)
    if row.identifier != LIBRARY or row.item is None or row.section is None:
        return OtherNotice(kind="timeline")
    return ItemNotice(
        section=row.section,
        item=row.item,
        state=UNKNOWN if row.state is None else row.state,
        metadata_state=row.metadata_state,
        queue_size=row.queue_size,
    )


def _text(element: Any) -> str:
    try:
        row = _StatusRow.model_validate(element)
    except ValidationError:
        return ""
    return row.title or row.message
