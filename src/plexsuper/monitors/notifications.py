"""Notices what Plex says it is doing: its notification socket first, polls to confirm and repair it."""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.plex.notices import ActivityNotice, ItemNotice, Notice, OtherNotice
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import NotAccepted
from plexsuper.errors import ServerAway, ServerError
from plexsuper.events import NotificationsConnected, NotificationsLost, PrefsChanged, SectionsChanged
from plexsuper.monitors.happenings import Activities, Items

if TYPE_CHECKING:
    from plexsuper.terms import Section

_SCAN = "library.update.section"

_ACTIVITIES_EVERY = 0.25
_PROGRESS_EVERY = 1.0
_ITEMS_EVERY = 1.0
_PREFS_EVERY = 1.0
_SECTIONS_EVERY = 1.0
_BACK_OFF_FIRST, _BACK_OFF_LONGEST = 1.0, 30.0


async def watch_notifications(publish: Publish, *, plex: Plex, every: float) -> Never:
    """Publish `ActivitiesChanged`, `SectionsChanged`, `ItemsChanged` and `PrefsChanged` as Plex tells of them.

    `/activities` and `/library/sections` are read each *every* seconds, twice as often while the socket is
    broken, at once when it is open again, and when a scan starts or ends: `refreshing` and `scanned_at` are
    told nowhere else. A start or end is published at once, bursts at most 4 times a second.
    """
    watch = _Watch(publish, plex, every)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(watch.listen)
            group.start_soon(watch.poll)
            group.start_soon(watch.show)
    except ExceptionGroup as crashed:
        raise crashed.exceptions[0] from None  # one name and one message for who restarts us
    raise AssertionError("a monitor never ends")


class _Watch:
    """The picture, and when what of it was shown last (times of the loop's clock)."""

    def __init__(self, publish: Publish, plex: Plex, every: float) -> None:
        self._publish = publish
        self._plex = plex
        self._every = every
        self._activities = Activities()
        self._items = Items()
        self._sections: tuple[Section, ...] | None = None
        self._connected = False
        self._activities_shown = self._items_shown = self._prefs_shown = self._sections_read = -math.inf
        self._prefs_changed = False
        self._noted = anyio.Event()
        self._wanted = anyio.Event()
        self._repaired = anyio.Event()

    # --- the socket -----------------------------------------------------------------------------------

    async def listen(self) -> Never:
        """Keep the socket open for ever."""
        pause, told = _BACK_OFF_FIRST, False
        while True:
            detail = "Plex closed the notification socket"
            try:
                async with self._plex.notifications() as notices:
                    await self._repair()
                    self._connected = True
                    pause, told = _BACK_OFF_FIRST, False
                    self._publish(NotificationsConnected())
                    async for notice in notices:
                        self._note(notice)
            except ServerError as error:
                detail = str(error)
            if not told:
                self._publish(NotificationsLost(detail=detail))
            told, self._connected = True, False
            self._items.forget_pending()
            self._noted.set()
            self._wanted.set()
            await anyio.sleep(pause)
            pause = min(2 * pause, _BACK_OFF_LONGEST)

    async def _repair(self) -> None:
        """Wait for a picture that was asked for after this moment."""
        self._repaired = anyio.Event()
        self._sections_read = -math.inf
        self._wanted.set()
        await self._repaired.wait()

    def _note(self, notice: Notice) -> None:
        match notice:
            case ActivityNotice():
                self._activities.note(notice)
                if notice.event != "updated" and notice.activity.kind == _SCAN:
                    self._wanted.set()
            case ItemNotice():
                self._items.note(notice)
            case OtherNotice(kind="preference"):
                self._prefs_changed = True
            case _:
                return
        self._show()

    # --- the polls ------------------------------------------------------------------------------------

    async def poll(self) -> Never:
        """Read the whole picture now and then, and when the socket gives a reason."""
        while True:
            repaired = self._repaired
            with suppress(ServerAway, NotAccepted):  # whoever watches the server tells of it
                await self._read()
                repaired.set()
            with anyio.move_on_after(self._pause):
                await self._wanted.wait()
                await anyio.sleep_until(self._sections_read + _SECTIONS_EVERY)
            self._wanted = anyio.Event()

    @property
    def _pause(self) -> float:
        """A section that is still refreshing when its scan has ended is about to change: look soon."""
        if any(section.refreshing for section in self._sections or ()) and not self._activities.has(_SCAN):
            return min(self._every, _SECTIONS_EVERY)
        return self._every if self._connected else max(1.0, self._every / 2)

    async def _read(self) -> None:
        self._sections_read = anyio.current_time()
        poll = self._activities.expect_poll()
        self._activities.polled(await self._plex.activities(), poll)
        self._show()
        sections = await self._plex.sections()
        if sections != self._sections:
            self._sections = sections
            self._publish(SectionsChanged(sections=sections))

    # --- what is told ---------------------------------------------------------------------------------

    async def show(self) -> Never:
        """Tell what could not be told at once, when its time has come."""
        while True:
            await self._noted.wait()
            self._noted = anyio.Event()
            while (at := self._show_due()) < math.inf:  # noqa: ASYNC110 - the time is what is waited for
                await anyio.sleep_until(at)

    def _show(self) -> None:
        """Tell what is due now, and see that the rest is told."""
        if self._show_due() < math.inf:
            self._noted.set()

    def _show_due(self) -> float:
        """Tell what is due now, and return when the rest will be."""
        now, later = anyio.current_time(), math.inf
        if self._activities.changed:
            pause = _ACTIVITIES_EVERY if self._activities.set_changed else _PROGRESS_EVERY
            if now >= self._activities_shown + pause:
                self._activities_shown = now
                for fact in self._activities.show():
                    self._publish(fact)
            else:
                later = self._activities_shown + pause
        return min(later, self._show_items(now), self._show_prefs(now))

    def _show_prefs(self, now: float) -> float:
        """One request changes many settings, and Plex tells of each."""
        due = self._prefs_shown + _PREFS_EVERY
        if not self._prefs_changed or now < due:
            return due if self._prefs_changed else math.inf
        self._prefs_changed, self._prefs_shown = False, now
        self._publish(PrefsChanged())
        return math.inf

    def _show_items(self, now: float) -> float:
        due = self._items_shown + _ITEMS_EVERY
        if now < due:
            return due if self._items.changed else math.inf
        facts = self._items.show()
        if facts:
            self._items_shown = now
        for fact in facts:
            self._publish(fact)
        return math.inf
