"""Proving storage by content before anything is scanned; the probe gives what a real one has seen."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from plexsuper.actions.storage import missing_locations, prove_storage
from plexsuper.decisions.health import Failure, Proof
from plexsuper.errors import ExitCode, StorageError
from plexsuper.events import MountReady
from tests.virtual_time import run_virtual

MEDIA = Path("/media")
PROOF = Proof(entries=3, latency=0.2, detail="3 folders, 64 KiB read")
EMPTY = Failure(reason="empty", detail="it lists nothing")


class Seen:
    """A probe that has seen these things, one look after the other; the last one lasts."""

    def __init__(self, *looks: Proof | Failure, there: Sequence[str] | Failure = ()) -> None:
        self._looks = list(looks)
        self._there = there

    async def look(self, deadline: float) -> Proof | Failure:
        await anyio.lowlevel.checkpoint()
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        await anyio.lowlevel.checkpoint()
        if isinstance(self._there, Failure):
            return self._there
        return tuple(path in self._there for path in paths)


async def prove(seen: Seen) -> tuple[MountReady, float]:
    began = anyio.current_time()
    ready = await prove_storage(seen, MEDIA, deadline=5.0)
    return ready, anyio.current_time() - began


def test_content_is_a_proof():
    ready = MountReady(path="/media", detail="3 folders, 64 KiB read", latency=0.2)
    assert run_virtual(prove, Seen(PROOF)) == (ready, 0.0)


def test_storage_gets_three_looks():
    ready, seconds = run_virtual(prove, Seen(EMPTY, EMPTY, PROOF))
    assert (ready.path, seconds) == ("/media", 2.0)


@pytest.mark.lesson("L40")
@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (EMPTY, "a mount point without its mount looks like this: mount the storage, then start again"),
        (Failure(reason="dead", detail="ENOTCONN"), "the mount died: mount it again"),
        (Failure(reason="missing", detail="ENOENT"), "mount it or correct media.path"),
        (Failure(reason="hung", detail="5 s"), "look at the process that serves it"),
    ],
    ids=lambda value: value.reason if isinstance(value, Failure) else "",
)
def test_storage_without_content_is_refused_with_what_was_seen_and_a_remedy(failure, remedy):
    with pytest.raises(StorageError) as caught:
        run_virtual(prove, Seen(failure))
    assert caught.value.exit_code is ExitCode.STORAGE
    assert f"/media does not serve content ({failure.reason}): {failure.detail}. Remedy: " in str(
        caught.value
    )
    assert remedy in str(caught.value)


@pytest.mark.lesson("L43")
def test_locations_that_are_not_there_are_named():
    async def ask() -> tuple[str, ...]:
        seen = Seen(PROOF, there=("/media/A",))
        return await missing_locations(seen, ["/media/A", "/other/B"], deadline=5.0)

    assert run_virtual(ask) == ("/other/B",)


def test_an_unanswered_question_never_means_that_something_is_missing():
    async def ask() -> tuple[str, ...]:
        seen = Seen(PROOF, there=Failure(reason="hung", detail="no answer within 5 s"))
        return await missing_locations(seen, ["/media/A"], deadline=5.0)

    with pytest.raises(StorageError, match="could not be looked up: no answer within 5 s"):
        run_virtual(ask)
