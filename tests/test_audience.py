"""Proves that those who follow a run get what they should, from real receivers on this machine, and never touch the run."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from plexsuper import events as e
from plexsuper.audience import audience
from plexsuper.audience.earlier import nothing_earlier
from plexsuper.audience.reporting import leave_report
from plexsuper.audience.telling import Tell
from plexsuper.bus import Bus
from plexsuper.clients.messenger import send_message
from plexsuper.config import Settings
from plexsuper.examples import RUN, envelopes
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.report.page import html
from plexsuper.faces.words import sentence
from plexsuper.stream import Envelope, encode


class Receiver:
    """A web server that keeps what it is sent, and answers as it is told: a status, or None for never."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.asked: list[tuple[str, str]] = []
        self.url = ""
        self._news = anyio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append((request.path_qs, await request.text()))
        self._news.set()
        self._news = anyio.Event()
        if self.status is None:
            await anyio.sleep(60)
        return web.Response(status=self.status or 200)

    async def until(self, number: int) -> None:
        with anyio.fail_after(30):
            while len(self.asked) < number:
                await self._news.wait()

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.asked]


@asynccontextmanager
async def receiver(status: int | None = 200) -> AsyncIterator[Receiver]:
    served = Receiver(status)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", served.take)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"127.0.0.1:{runner.addresses[0][1]}"
        yield served
    finally:
        await runner.cleanup()


def settings(tmp_path: Path, **tables: Any) -> Settings:
    return Settings(state_dir=tmp_path / "state", **tables)


class Run:
    """A bus of envelopes with an audience, and what the audience had to say."""

    def __init__(self) -> None:
        self.envelopes: Bus[Envelope] = Bus()
        self.said: list[e.Event] = []
        self._news = anyio.Event()

    def hear(self, fact: e.Event) -> None:
        self.said.append(fact)
        self._news.set()

    async def until_said(self) -> None:
        with anyio.fail_after(30):
            await self._news.wait()

    def play(self, told: tuple[tuple[float, e.Event], ...] = RUN) -> None:
        for envelope in envelopes(told):
            self.envelopes.publish(envelope)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


# --- messages ----------------------------------------------------------------------------------------


async def test_messages_arrive_at_a_real_receiver(tmp_path):
    run = Run()
    async with receiver() as post:
        wanted = settings(tmp_path, notify={"urls": [f"json://{post.url}/secret-topic"]})
        async with audience(wanted, run.envelopes, run.hear, None):
            run.play()
    assert [message["title"] for message in post.messages()][-1] == (
        "plexsuper: finished, but sections were set aside after 1 h 13 m"
    )
    assert post.asked[0][0] == "/secret-topic"
    assert run.said == []


async def test_a_receiver_that_fails_never_touches_the_run(tmp_path):
    run = Run()
    async with receiver(500) as post:
        wanted = settings(tmp_path, notify={"urls": [f"json://{post.url}/secret-topic"], "when": ["section"]})
        async with audience(wanted, run.envelopes, run.hear, None):
            run.play(RUN[:-1])
            await run.until_said()
    assert run.said == [
        e.MonitorCrashed(monitor="notify.urls", error="a service did not take the message", retry_in=60.0)
    ]


async def test_a_follower_that_never_ends_cannot_hold_up_the_end_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.audience.LAST_WORDS", 0.1)
    monkeypatch.setattr("plexsuper.audience.leave_report", lambda *_: anyio.sleep_forever())
    run = Run()
    with anyio.fail_after(20):
        async with audience(settings(tmp_path), run.envelopes, run.hear, tmp_path):
            run.play()
    assert run.said == []


async def test_a_receiver_that_hangs_is_left_when_the_run_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.audience.LAST_WORDS", 0.2)
    run = Run()
    async with receiver(None) as post:
        wanted = settings(tmp_path, notify={"urls": [f"json://{post.url}/secret-topic"], "when": ["section"]})
        async with audience(wanted, run.envelopes, run.hear, None):
            run.play(RUN[:-1])
            await post.until(1)
    assert run.said == []  # and no child of ours is left, which every test of this house proves


async def test_a_message_that_takes_too_long_is_given_up():
    async with receiver(None) as post:
        said = await send_message([f"json://{post.url}/secret"], title="t", body="b", good=True, deadline=0.2)
    assert said == "no answer within 0.2 s"


async def test_a_message_that_cannot_be_sent_says_why_without_an_address():
    assert (
        await send_message(["nonsense://secret"], title="t", body="b", good=True)
        == "an address cannot be used"
    )
    dead = "json://127.0.0.1:9/secret"
    assert await send_message([dead], title="t", body="b", good=True) == "a service did not take the message"


# --- the monitor of jobs -----------------------------------------------------------------------------


async def test_the_monitor_is_told_that_a_run_begins_goes_on_and_how_it_ended(tmp_path):
    for told, end in ((RUN, "/check/fail"), ((RUN[0], (1.0, finished(0))), "/check")):
        run = Run()
        async with receiver() as monitor:
            wanted = settings(
                tmp_path, notify={"ping_url": f"http://{monitor.url}/check", "ping_every": 0.05}
            )
            async with audience(wanted, run.envelopes, run.hear, None):
                run.play(told[:-1])
                await monitor.until(3)
                run.play(told[-1:])
        paths = [path for path, _ in monitor.asked]
        assert set(paths[:-1]) == {"/check/start"}
        assert paths[-1] == end
        assert run.said == []


async def test_what_the_address_of_the_monitor_asks_for_is_part_of_every_sign(tmp_path):
    run = Run()
    async with receiver() as monitor:
        wanted = settings(tmp_path, notify={"ping_url": f"http://{monitor.url}/check?key=a%26b"})
        async with audience(wanted, run.envelopes, run.hear, None):
            run.play(RUN[:1])
            await monitor.until(1)
            run.play(RUN[-1:])
    assert [path for path, _ in monitor.asked] == ["/check/start?key=a%26b", "/check/fail?key=a%26b"]


async def test_a_run_that_ends_without_a_verdict_is_told_as_a_failure(tmp_path):
    run = Run()
    async with receiver() as monitor:
        wanted = settings(tmp_path, notify={"ping_url": f"http://{monitor.url}/check"})
        with pytest.raises(ExceptionGroup):
            await fail(wanted, run)
    assert [path for path, _ in monitor.asked][-1] == "/check/fail"


async def test_a_monitor_that_is_away_is_told_once_and_without_its_address(tmp_path):
    run = Run()
    wanted = settings(tmp_path, notify={"ping_url": "http://127.0.0.1:9/secret-check", "ping_every": 0.01})
    async with audience(wanted, run.envelopes, run.hear, None):
        run.play(RUN[:3])
        await anyio.sleep(0.2)
        assert run.said == [
            e.MonitorCrashed(
                monitor="notify.ping_url",
                error="the monitor cannot be reached (ClientConnectorError)",
                retry_in=0.01,
            )
        ]


async def fail(wanted: Settings, run: Run) -> None:
    async with audience(wanted, run.envelopes, run.hear, None):
        run.play(RUN[:3])
        raise ZeroDivisionError


def finished(code: int) -> e.Event:
    (*_, (_, last)) = RUN
    assert isinstance(last, e.RunFinished)
    return e.RunFinished(verdict=last.verdict, exit_code=code, duration=1.0, sections=(), detail="")


# --- files -------------------------------------------------------------------------------------------


async def test_the_metrics_file_is_whole_whenever_it_is_read_and_tells_the_end(tmp_path):
    run, file = Run(), tmp_path / "plexsuper.prom"
    async with audience(
        settings(tmp_path, metrics={"textfile": str(file), "every": 0.001}),
        run.envelopes,
        run.hear,
        None,
    ):
        for envelope in envelopes(RUN):
            run.envelopes.publish(envelope)
            await anyio.sleep(0.002)
            if file.exists():
                assert list(text_string_to_metric_families(file.read_text()))
    assert "plexsuper_run_exit_code 7.0\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["plexsuper.prom"]
    assert run.said == []


async def test_a_metrics_file_that_cannot_be_written_is_told_once(tmp_path):
    run, file = Run(), tmp_path / "missing" / "plexsuper.prom"
    wanted = settings(tmp_path, metrics={"textfile": str(file), "every": 0.001})
    async with audience(wanted, run.envelopes, run.hear, None):
        run.play()
        await run.until_said()
        await anyio.sleep(0.1)
    assert run.said == [
        e.MonitorCrashed(
            monitor="metrics.textfile",
            error=f"{file} cannot be written: No such file or directory",
            retry_in=0.001,
        )
    ]


async def test_the_report_lies_beside_the_journal_when_the_run_has_ended(tmp_path):
    run = Run()
    async with audience(settings(tmp_path), run.envelopes, run.hear, tmp_path):
        run.play()
    story = Chronicle()
    for envelope in envelopes(RUN):
        story.see(envelope)
    assert (tmp_path / "report.html").read_text() == html(story.since())
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600


async def test_the_report_of_a_run_that_is_broken_off_tells_all_that_was_told(tmp_path):
    told = list(envelopes(RUN))[:70]  # more than are folded together, and not a multiple of it
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as facts:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave_report, tmp_path, nothing_earlier, facts, Tell("report", lambda *_: None))
            for envelope in told:
                bus.publish(envelope)
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    story = Chronicle()
    for envelope in told:
        story.see(envelope)
    assert (tmp_path / "report.html").read_text() == html(story.since())


async def test_a_report_that_cannot_be_written_changes_nothing(tmp_path):
    run = Run()
    async with audience(settings(tmp_path), run.envelopes, run.hear, tmp_path / "missing"):
        run.play()
    assert run.said == []


async def test_a_follower_that_is_broken_is_told_once_and_the_run_goes_on(tmp_path, monkeypatch):
    def broken(_: object, __: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("plexsuper.audience.reporting.Chronicle.see", broken)
    run = Run()
    async with audience(settings(tmp_path), run.envelopes, run.hear, tmp_path):
        run.play()
        await anyio.sleep(0.05)
        run.play()
    (fact,) = (fact for fact in run.said if isinstance(fact, e.MonitorCrashed))
    assert sentence(fact) == "monitor report crashed (KeyError: 'x'); it is not started again"


# --- secrets -----------------------------------------------------------------------------------------


@pytest.mark.lesson("F05")
def test_addresses_are_secrets(tmp_path):
    wanted = settings(
        tmp_path, notify={"urls": ["ntfys://hidden-topic"], "ping_url": "https://hc-ping.com/hidden-check"}
    )
    assert wanted.public()["notify"] == {
        "urls": ["set"],
        "when": ["finished", "claim", "credentials", "storage", "section", "loss", "plex", "space", "daily"],
        "storage_after": 600.0,
        "ping_url": "set",
        "ping_every": 300.0,
    }
    assert {"ntfys://hidden-topic", "https://hc-ping.com/hidden-check"} <= set(wanted.secrets())
    assert "hidden" not in repr(wanted)
    assert not re.search("hidden", json.dumps(wanted.public()))
    assert b"hidden" not in encode(next(iter(envelopes(RUN))))


@pytest.mark.parametrize(
    "url", ["https://hc-ping.com:99999/hidden", "http://h:0/hidden", "http://[::1/hidden", "ftp://h/hidden"]
)
def test_an_address_that_cannot_be_asked_is_a_mistake_in_the_settings(tmp_path, url):
    with pytest.raises(ValidationError) as refused:
        settings(tmp_path, notify={"ping_url": url})
    assert "hidden" not in str(refused.value)


def test_messages_without_apprise_are_a_mistake_in_the_settings(tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.config.types.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"pip install 'plexsuper\[notify\]'"):
        settings(tmp_path, notify={"urls": ["ntfys://topic"]})
    assert settings(tmp_path, notify={"ping_url": "https://hc-ping.com/x"}).notify.ping_url is not None
