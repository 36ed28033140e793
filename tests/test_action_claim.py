"""Proves when a claim is asked for, what is taken for one, and that none is used that has expired; the terminal is a real one."""

import os
import pty
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.actions.claim import Claims, claims_of
from plexsuper.clients.terminal import Terminal
from plexsuper.config import Settings
from plexsuper.errors import PreflightError
from plexsuper.faces.console import Screen
from plexsuper.redact import Redactor
from tests.virtual_time import run_virtual

GOOD = "claim-s3cretS3cretS3cret"
OTHER = "claim-an0therAn0therAn0ther"


class Somebody:
    """A person who types the same lines at every terminal; what is unrealistic: each line takes no time but the given one."""

    def __init__(self, *lines: str | None, after: float = 0.0, there: bool = True) -> None:
        self.is_there = there
        self.read: list[str] = []
        self._lines = list(lines)
        self._after = after

    def forget_typed(self) -> None:
        self.read.append("<forgotten>")

    async def say(self, text: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.read.append(text)

    async def ask(self, question: str) -> str | None:
        self.read.append(question)
        await anyio.sleep(self._after)
        return self._lines.pop(0)


class Desk:
    """Claims with everything around them; `alone` tells whether the terminal was kept free while somebody was asked."""

    def __init__(
        self,
        person: Somebody,
        *,
        given: str | None = None,
        allow_unclaimed: bool = False,
        unclaimed: bool = True,
    ) -> None:
        self.person = person
        self.unclaimed = unclaimed
        self.learned: list[str] = []
        self.pauses = 0
        self.claims = Claims(
            given=None if given is None else SecretStr(given),
            allow_unclaimed=allow_unclaimed,
            unclaimed=self._look,
            person=person,
            alone=self._alone,
            learn=self.learned.append,
        )

    async def _look(self) -> bool:
        await anyio.lowlevel.checkpoint()
        return self.unclaimed

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        self.pauses += 1
        yield

    async def current(self) -> str | None:
        claim = await self.claims.current()
        return None if claim is None else claim.get_secret_value()


@pytest.mark.lesson("L42")
def test_the_claim_of_a_new_server_is_asked_for_once_and_learned_before_anything_is_said_about_it() -> None:
    async def play() -> None:
        desk = Desk(Somebody(GOOD))
        await desk.claims.prepare()
        await desk.claims.prepare()
        assert (desk.pauses, desk.learned) == (1, [GOOD])
        forgotten, introduction, prompt = desk.person.read
        assert (forgotten, prompt) == ("<forgotten>", "Claim: ")
        assert "https://plex.tv/claim" in introduction
        assert "within four minutes" in introduction
        assert await desk.current() == GOOD
        assert GOOD not in repr(desk.claims._typed)

    run_virtual(play)


def test_what_is_no_claim_is_asked_for_again() -> None:
    async def play() -> None:
        desk = Desk(Somebody("my-token", "claim-", "claim-with a space", GOOD))
        await desk.claims.prepare()
        assert await desk.current() == GOOD
        assert desk.learned == [GOOD]
        wrong = [said for said in desk.person.read if said.startswith("That is no claim")]
        assert len(wrong) == 3

    run_virtual(play)


@pytest.mark.parametrize("line", ["", None], ids=["Enter alone", "the end of the input"])
def test_somebody_who_gives_none_goes_on_with_a_server_without_an_owner(line: str | None) -> None:
    async def play() -> None:
        desk = Desk(Somebody(line))
        await desk.claims.prepare()
        assert await desk.current() is None
        assert desk.learned == []

    run_virtual(play)


@pytest.mark.parametrize(
    "desk",
    [
        pytest.param(Desk(Somebody(), given=GOOD), id="there is one"),
        pytest.param(Desk(Somebody(), allow_unclaimed=True), id="none is wanted"),
        pytest.param(Desk(Somebody(), unclaimed=False), id="the server has an owner"),
    ],
)
def test_nobody_is_asked_when(desk: Desk) -> None:
    async def play() -> None:
        await desk.claims.prepare()
        assert desk.person.read == []

    run_virtual(play)


def test_without_a_terminal_it_is_an_error_with_the_remedy() -> None:
    async def play() -> None:
        desk = Desk(Somebody(there=False))
        with pytest.raises(
            PreflightError, match=r"plex\.tv/claim and give it in PLEX_CLAIM .*plex\.allow_unclaimed"
        ):
            await desk.claims.prepare()

    run_virtual(play)


@pytest.mark.lesson("L42")
@pytest.mark.parametrize(
    ("waited", "unclaimed", "used", "asked"),
    [
        pytest.param(220.0, True, GOOD, 1, id="still good"),
        pytest.param(230.0, True, OTHER, 2, id="too old for what the server still has to do"),
        pytest.param(100_000.0, False, None, 1, id="the server has used it"),
    ],
)
def test_a_claim_that_grew_old_before_it_could_be_used_is_asked_for_anew(
    waited: float, unclaimed: bool, used: str | None, asked: int
) -> None:
    async def play() -> None:
        desk = Desk(Somebody(GOOD, OTHER, after=600.0))  # how long the person takes does not count
        await desk.claims.prepare()
        await anyio.sleep(waited)
        desk.unclaimed = unclaimed
        assert await desk.current() == used
        assert desk.pauses == asked
        assert any("has expired" in said for said in desk.person.read) is (asked == 2)

    run_virtual(play)


def test_a_server_without_a_token_in_its_preferences_is_new(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    home = tmp_path / "Library" / "Application Support" / "Plex Media Server"
    settings = Settings.model_validate({"plex": {"runtime": "docker", "config_dir": tmp_path}})

    async def asked() -> bool:
        person = Somebody("")
        claims = claims_of(settings, alone=Desk(person)._alone, learn=lambda _: None)
        claims._person = person
        await claims.prepare()
        return bool(person.read)

    assert anyio.run(asked) is True
    home.mkdir(parents=True)
    (home / "Preferences.xml").write_text('<Preferences MachineIdentifier="1"/>')
    assert anyio.run(asked) is True
    (home / "Preferences.xml").write_text('<Preferences PlexOnlineToken="abc"/>')
    assert anyio.run(asked) is False
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    (home / "Preferences.xml").unlink()
    assert anyio.run(asked) is False  # its files are not here


class Pty:
    """A real terminal: `typed` at its keyboard, `shown` on its screen."""

    def __init__(self) -> None:
        self.keyboard, self.terminal = pty.openpty()
        os.set_blocking(self.keyboard, False)
        self.screen = ""

    def close(self) -> None:
        os.close(self.keyboard)
        os.close(self.terminal)

    def type(self, text: str) -> None:
        os.write(self.keyboard, text.encode())

    async def shows(self, text: str) -> None:
        """Wait until *text* is on the screen."""
        with anyio.fail_after(10):
            while text not in self.look():  # noqa: ASYNC110 - it waits for a screen
                await anyio.sleep(0.005)

    def look(self) -> str:
        with suppress(BlockingIOError):
            self.screen += os.read(self.keyboard, 65536).decode()
        return self.screen


@asynccontextmanager
async def a_terminal() -> AsyncIterator[Pty]:
    there = Pty()
    try:
        yield there
    finally:
        there.close()


@pytest.mark.lesson("L21", "L26", "L42")
async def test_while_a_claim_is_typed_nothing_else_is_written_to_the_terminal() -> None:
    async with a_terminal() as there:
        screen, redactor, got = Screen(there.terminal), Redactor(), []
        claims = Claims(
            given=None,
            allow_unclaimed=False,
            unclaimed=Desk(Somebody())._look,
            person=Terminal(there.terminal, there.terminal),
            alone=screen.paused,
            learn=redactor.learn,
        )

        async def run() -> None:
            await claims.prepare()
            got.append(await claims.current())
            tasks.cancel_scope.cancel()

        async def draw() -> None:
            while True:
                screen._changed = True
                screen.refresh()
                await anyio.sleep(0.005)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(draw)
            await there.shows("\x1b[?25l")  # the live view is there
            tasks.start_soon(run)
            await there.shows("Claim: ")
            before = there.screen
            await anyio.sleep(0.1)
            assert there.look() == before
            there.type("clam-wrong\n")
            await there.shows("Once more")
            there.type(f"  {GOOD} \n")
        await screen.writer.finish()
    assert [claim.get_secret_value() for claim in got if claim is not None] == [GOOD]
    assert redactor(f"it is {GOOD}") == "it is ***"


async def test_what_was_typed_before_the_question_is_no_answer() -> None:
    async with a_terminal() as there:
        person = Terminal(there.terminal, there.terminal)
        there.type("too early\nand once more\n")
        await there.shows("once more")
        person.forget_typed()
        there.type("in time\n")
        assert await person.ask("Claim: ") == "in time"


async def test_a_question_can_be_called_off_and_leaves_the_terminal_as_it_was() -> None:
    async with a_terminal() as there:
        before = termios.tcgetattr(there.terminal)
        person = Terminal(there.terminal, there.terminal)
        with anyio.move_on_after(0.05) as scope:
            await person.ask("Claim: ")
        assert scope.cancelled_caught
        assert termios.tcgetattr(there.terminal) == before
        there.type("\x04")  # the end of input
        assert await person.ask("Claim: ") is None


def test_a_file_or_a_pipe_is_nobody_who_can_be_asked() -> None:
    reads, writes = os.pipe()
    try:
        assert not Terminal(reads, writes).is_there
    finally:
        os.close(reads)
        os.close(writes)
