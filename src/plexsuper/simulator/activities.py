"""What the server says it is doing: `/activities` and the notifications about it."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from plexsuper.simulator.clock import Clock
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.notifications import Notifications
from plexsuper.simulator.render import Element, Value

UPDATE_SECTION = "library.update.section"
UPDATE_ITEM = "library.update.item.metadata"


@dataclass(slots=True)
class Activity:
    """One activity; `progress` is -1 when unknown, else 0 to 100."""

    uuid: str
    type: str
    title: str
    subtitle: str = ""
    progress: int = -1
    section: int | None = None
    context: dict[str, Value] = field(default_factory=dict)
    cancel: Callable[[], None] | None = None
    told: float = 0.0

    def fields(self) -> dict[str, Value | None]:
        """Return the attributes the API shows."""
        return {
            "uuid": self.uuid,
            "type": self.type,
            "cancellable": self.cancel is not None,
            "userID": 1,
            "title": self.title,
            "subtitle": self.subtitle,
            "progress": self.progress,
        }

    def all_context(self) -> dict[str, Value]:
        """Return the Context: the section is named there and nowhere else."""
        named: dict[str, Value] = {} if self.section is None else {"librarySectionID": str(self.section)}
        return named | self.context


class Activities:
    """The running activities, and the row of type `butler` that is there for ever."""

    def __init__(self, clock: Clock, knobs: Knobs, notifications: Notifications, rng: random.Random) -> None:
        self._clock = clock
        self._knobs = knobs
        self._notifications = notifications
        self._rng = rng
        self._running: dict[str, Activity] = {}
        self._idle = Activity(self.new_uuid(), "butler", "Butler tasks", progress=100)

    def new_uuid(self) -> str:
        """Return a new random uuid."""
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    @property
    def running(self) -> tuple[Activity, ...]:
        """The activities that really run."""
        return tuple(self._running.values())

    @contextmanager
    def show(self, kind: str, title: str, **more: Any) -> Iterator[Activity]:
        """Show an activity as long as the block runs; *more* are further fields of `Activity`."""
        activity = Activity(more.pop("uuid", None) or self.new_uuid(), kind, title, **more)
        self._running[activity.uuid] = activity
        self._tell("started", activity)
        try:
            yield activity
        finally:
            self._running.pop(activity.uuid, None)
            self._tell("ended", activity)

    def progress(self, activity: Activity, done: float, total: float) -> None:
        """Set the progress; listeners are told of it once in a while, unless it is not shown."""
        if activity.uuid not in self._running:
            return
        activity.progress = min(99, int(100 * done / total)) if total else -1
        if self._clock.elapsed() - activity.told >= self._knobs.update_every:
            self._tell("updated", activity)

    def set_progress(self, uuid: str, percent: int) -> bool:
        """Set the progress as a scanner process does it over HTTP; False for an unknown activity."""
        activity = self._running.get(uuid)
        if activity is None:
            return False
        activity.progress = max(-1, min(100, percent))
        self._tell("updated", activity)
        return True

    def cancel(self, uuid: str) -> Literal["cancelled", "refused", "unknown"]:
        """Cancel an activity if it can be cancelled."""
        if self._knobs.butler_row and uuid == self._idle.uuid:
            return "refused"
        activity = self._running.get(uuid)
        if activity is None:
            return "unknown"
        if activity.cancel is None:
            return "refused"
        activity.cancel()
        return "cancelled"

    def elements(self) -> list[Element]:
        """Return the rows of `/activities`."""
        idle = (self._idle,) if self._knobs.butler_row else ()
        return [_element(activity) for activity in (*self._running.values(), *idle)]

    def _tell(self, event: str, activity: Activity) -> None:
        activity.told = self._clock.elapsed()
        body: dict[str, Any] = activity.fields()
        context = activity.all_context()
        if context and (event != "ended" or self._knobs.context_on_ended):
            body["Context"] = context
        element = {"event": event, "uuid": activity.uuid, "Activity": body}
        self._notifications.send("activity", element)


def _element(activity: Activity) -> Element:
    context = activity.all_context()
    children = [Element("Context", dict(context))] if context else []
    return Element("Activity", activity.fields(), children)
