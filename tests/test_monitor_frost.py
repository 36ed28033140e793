"""The frost monitor tells when Plex stood still for longer than it may; what follows is for others to do and to say."""

import anyio

from plexsuper.clients.server.freezer import Freezer
from plexsuper.events import Event, FreezeSpent
from plexsuper.monitors.frost import watch_frost
from tests.test_monitor_server import Host
from tests.virtual_time import run_virtual


class Icy(Host):
    """A host on which a process of the server can be stopped; nothing of it is real."""

    def freeze(self) -> tuple[int, ...]:
        return (42,)


def test_standing_still_is_summed_up_and_told_once_without_a_word_about_what_becomes_of_plex() -> None:
    facts: list[tuple[float, Event]] = []

    async def story() -> None:
        freezer = Freezer(Icy(42, 1e9), lambda _: None)
        with anyio.move_on_after(100.0):
            async with anyio.create_task_group() as tasks:
                tell = lambda fact: facts.append((anyio.current_time(), fact))  # noqa: E731 - one line of a story
                tasks.start_soon(lambda: watch_frost(tell, freezer=freezer, limit=30.0))
                for frozen_for in (20.0, 20.0):
                    freezer.freeze("storage", "lost")
                    await anyio.sleep(frozen_for)
                    freezer.thaw("storage")
                    await anyio.sleep(5.0)

    run_virtual(story)
    detail = "Plex stood still for as long as it may (guard.frozen_at_most), and storage is not proved: look at it, then start again"
    assert facts == [(35.0, FreezeSpent(seconds=30.0, detail=detail))]
