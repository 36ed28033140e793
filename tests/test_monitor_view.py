"""A frozen container goes on when content is read as it sees it, and never before."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.events import Event, MonitorCrashed, PlexThawed
from plexsuper.monitors.view import watch_view

if TYPE_CHECKING:
    from plexsuper.clients.server.runtime import Runtime


class Pair:
    """A server of two processes that only remember whether they stand still."""

    def __init__(self) -> None:
        self.still: tuple[int, ...] = ()

    def freeze(self) -> tuple[int, ...]:
        self.still = (7, 8)
        return self.still

    def thaw(self, pids: Sequence[int]) -> None:
        self.still = tuple(pid for pid in self.still if pid not in pids)

    def end_scanners(self) -> int:
        return 0


async def until(facts: list[Event], kind: type[Event]) -> None:
    with anyio.fail_after(10):
        while not any(isinstance(fact, kind) for fact in facts):  # noqa: ASYNC110 - facts come from a task
            await anyio.sleep(0.01)


@pytest.mark.lesson("L43")
async def test_plex_stays_frozen_until_content_is_read_where_the_container_looks(tmp_path: Path) -> None:
    facts: list[Event] = []
    media, pair = tmp_path / "media", Pair()
    freezer = Freezer(cast("Runtime", pair), facts.append)
    freezer.freeze("storage", "lost")
    async with anyio.create_task_group() as tasks:
        open_probe = partial(ContentProbe, media)
        tasks.start_soon(
            partial(watch_view, facts.append, freezer=freezer, open_probe=open_probe, deadline=5.0)
        )
        freezer.freeze("view", "not seen yet")
        freezer.thaw("storage")
        await until(facts, MonitorCrashed)
        assert pair.still == (7, 8)
        freezer.freeze("storage", "lost once more")
        (media / "Films").mkdir(parents=True)
        (media / "Films" / "film.mkv").write_bytes(b"content")
        await anyio.sleep(1.0)  # longer than it looks again: there is nothing to see from outside
        assert pair.still == (7, 8)
        freezer.thaw("storage")
        await until(facts, PlexThawed)
        tasks.cancel_scope.cancel()
    assert pair.still == ()
    (blind,) = [fact for fact in facts if isinstance(fact, MonitorCrashed)]
    assert "the container does not see it" in blind.error
