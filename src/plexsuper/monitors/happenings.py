"""One picture of what Plex says it is doing, fed by notifications and by polls: pure, no clock and no loop.

Plex's activities can begin and end between two polls, and faster than anybody wants to hear of them. What is
shown may be thinned out, but an activity that ran is always shown once with it and once without it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from plexsuper.clients.plex.notices import FINISHED, ActivityNotice, ItemNotice
from plexsuper.events import ActivitiesChanged, ItemsChanged
from plexsuper.terms import Activity


class Poll:
    """What started (True) or ended (False) by notification while a poll was under way, by uuid."""

    def __init__(self) -> None:
        self.since: dict[str, bool] = {}


class Activities:
    """The activities by uuid, what of them was shown, and what ran without having been shown yet."""

    def __init__(self) -> None:
        self._now: dict[str, Activity] = {}
        self._shown: dict[str, Activity] | None = None
        self._unshown: dict[str, Activity] = {}
        self._missed: deque[str] = deque(maxlen=256)  # shown, and gone from a poll before their end was told
        self._poll = Poll()

    def note(self, notice: ActivityNotice) -> None:
        """Take a notification; one about an unknown activity proves that it runs, or ran."""
        activity, uuid = notice.activity, notice.activity.uuid
        if notice.event == "ended":
            known = self._now.pop(uuid, None)
            if uuid not in (self._shown or {}) and uuid not in self._missed:
                self._unshown[uuid] = known or activity
        else:
            self._now[uuid] = _merged(self._now.get(uuid), activity)
        self._poll.since[uuid] = notice.event != "ended"

    def expect_poll(self) -> Poll:
        """Remember from now on what the answer to a question that is being asked cannot know."""
        self._poll = Poll()
        return self._poll

    def polled(self, listed: tuple[Activity, ...], poll: Poll) -> None:
        """Take Plex's whole list; what started or ended since it was asked for stands."""
        found = {
            activity.uuid: _merged(self._now.get(activity.uuid), activity)
            for activity in listed
            if poll.since.get(activity.uuid, True)
        }
        found |= {uuid: self._now[uuid] for uuid, runs in poll.since.items() if runs and uuid in self._now}
        ended = self._now.keys() - found.keys()
        shown = ended & (self._shown or {}).keys()
        self._missed.extend(shown)
        self._unshown |= {uuid: self._now[uuid] for uuid in ended - shown}
        self._now = found

    def has(self, kind: str) -> bool:
        """Whether an activity of *kind* runs."""
        return any(activity.kind == kind for activity in self._now.values())

    @property
    def set_changed(self) -> bool:
        """Whether activities have started or ended since the last `show`."""
        return self._shown is None or bool(self._unshown) or self._shown.keys() != self._now.keys()

    @property
    def changed(self) -> bool:
        """Whether anything differs from what was shown, progress included."""
        return bool(self._unshown) or self._shown != self._now

    def show(self) -> tuple[ActivitiesChanged, ...]:
        """Return the facts that bring the reader up to date; two if something ran that was never shown."""
        facts = []
        if self._unshown:
            facts.append(ActivitiesChanged(running=tuple((self._unshown | self._now).values())))
            self._unshown = {}
        self._shown = dict(self._now)
        return (*facts, ActivitiesChanged(running=tuple(self._now.values())))


def _merged(before: Activity | None, now: Activity) -> Activity:
    """Some servers leave the Context out of the list, or of later notifications of the same activity."""
    if before is None or now.section is not None:
        return now
    return replace(now, section=before.section)


@dataclass(slots=True)
class _Items:
    pending: set[int] = field(default_factory=set)
    finished: int = 0
    deleted: int = 0


class Items:
    """What Plex announced about the items of each section."""

    def __init__(self) -> None:
        self._sections: dict[int, _Items] = {}
        self._shown: dict[int, ItemsChanged] = {}
        self._noted = False

    def note(self, notice: ItemNotice) -> None:
        """Take a notification about one item."""
        self._noted = True
        items = self._sections.setdefault(notice.section, _Items())
        if notice.deleted:
            items.deleted += 1
            items.pending.discard(notice.item)
        elif notice.finished:
            items.finished += 1
            items.pending.discard(notice.item)
        elif notice.state < FINISHED:  # what comes after, the analysis, is no part of finding the item
            items.pending.add(notice.item)

    def forget_pending(self) -> None:
        """Nothing is known of announced items any more: the notifications that finish them were missed."""
        self._noted = True
        for items in self._sections.values():
            items.pending.clear()

    @property
    def changed(self) -> bool:
        """Whether anything differs from what was shown."""
        return self._noted and any(self._shown.get(fact.section) != fact for fact in self._facts())

    def show(self) -> tuple[ItemsChanged, ...]:
        """Return what differs from what was shown, one fact a section."""
        if not self._noted:  # it is asked for with each frame of the socket, and few are about items
            return ()
        facts = tuple(fact for fact in self._facts() if self._shown.get(fact.section) != fact)
        self._shown |= {fact.section: fact for fact in facts}
        self._noted = False
        return facts

    def _facts(self) -> Iterator[ItemsChanged]:
        for section, items in self._sections.items():
            yield ItemsChanged(
                section=section, pending=len(items.pending), finished=items.finished, deleted=items.deleted
            )
