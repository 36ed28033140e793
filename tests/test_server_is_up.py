"""Whether Plex runs is told by its process or by its answers: nothing is done to the library of one that answers."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from plexsuper.actions.server import is_up
from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.local import LocalRuntime
from plexsuper.config import Settings
from plexsuper.errors import DatabaseError
from plexsuper.librarian import Librarian
from tests.scripted import HTML, XML, Scripted, answer

if TYPE_CHECKING:
    from plexsuper.kit import Kit

IDENTITY = '<MediaContainer size="0" claimed="1" machineIdentifier="0123" version="1.43.4" />'
MAINTENANCE = '<Response code="503" title="Maintenance" status="... running startup maintenance tasks." />'

ANSWERS = [answer(IDENTITY, content_type=XML), answer(MAINTENANCE, 503, XML), answer("busy", 503, HTML)]


@pytest.mark.parametrize("identity", ANSWERS, ids=["ready", "in maintenance", "behind a proxy"])
def test_a_server_that_answers_is_up_although_no_process_of_it_is_seen(
    tmp_path: Path, identity: Answer
) -> None:
    plex = Plex(Scripted({"GET /identity": identity}))

    assert anyio.run(is_up, LocalRuntime(config_dir=tmp_path), plex)


def test_a_server_that_nobody_sees_or_hears_is_not_up(tmp_path: Path) -> None:
    assert not anyio.run(is_up, LocalRuntime(config_dir=tmp_path), Plex(Scripted(up=False)))


def test_nothing_is_put_back_into_the_library_of_a_plex_that_still_answers(tmp_path: Path) -> None:
    settings = Settings(plex={"config_dir": tmp_path}, media={"path": tmp_path}, state_dir=tmp_path / "state")
    kit = SimpleNamespace(
        past=SimpleNamespace(snapshot=str(tmp_path / "copy")),
        guard=SimpleNamespace(in_doubt=(), report="removals.jsonl", unaccounted=()),
        settings=settings,
        runtime=LocalRuntime(config_dir=tmp_path),
        plex=Plex(Scripted({"GET /identity": ANSWERS[0]})),
    )

    with pytest.raises(DatabaseError, match="Plex still runs"):
        anyio.run(Librarian(cast("Kit", kit)).revive)
