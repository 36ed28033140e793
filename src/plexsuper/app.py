"""Puts the parts of a run together: resources outside, tasks inside; settings go in, an exit code comes out."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from types import FrameType
from typing import Any, Final, Self, TypeAlias

import anyio
import anyio.lowlevel
import anyio.to_thread

from plexsuper import events as e
from plexsuper.audience import audience
from plexsuper.audience.earlier import CatchUp
from plexsuper.bus import Bus, Publish
from plexsuper.clients.service import keep_service_informed
from plexsuper.clients.versions import versions
from plexsuper.config import Settings, WebSettings
from plexsuper.coordinator import Coordinator
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.itinerary import Itinerary
from plexsuper.decisions.orders import Conclude
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.sections import Sections
from plexsuper.decisions.tidying import Tidying
from plexsuper.deeds import RunDeeds
from plexsuper.equipment import equip
from plexsuper.errors import ExitCode
from plexsuper.faces.face import Face
from plexsuper.faces.status import status
from plexsuper.kit import Kit, agenda
from plexsuper.record import look_back, new_run_id, recorded, resumed
from plexsuper.redact import Redactor
from plexsuper.stream import Envelope, Recorder
from plexsuper.supervise import harmless
from plexsuper.terms import Stage
from plexsuper.tidying import TidyDeeds

HEARTBEAT: Final = 30.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


Decided: TypeAlias = Callable[[int], None]
"""Is told the exit code of a run that is over and closed, and takes the signals from then on (`leave_with`)."""

Interlude: TypeAlias = Callable[[Kit], Coroutine[Any, Any, None]]
"""Something that happens beside a run, to show how the run takes it."""


async def nothing_meanwhile(_: Kit) -> None:
    """Let a run go undisturbed."""
    await anyio.lowlevel.checkpoint()


async def tidy(settings: Settings, face: Face, *, decided: Decided | None = None) -> int:
    """Put in order what an earlier run has left, and return the exit code; told and ended as a run is."""
    return await run(settings, face, tidy=True, decided=decided)


async def run(
    settings: Settings,
    face: Face,
    meanwhile: Interlude = nothing_meanwhile,
    *,
    tidy: bool = False,
    decided: Decided | None = None,
) -> int:
    """Carry out one run and return its exit code; everything that happens is told to *face*.

    The first SIGINT, SIGTERM or SIGHUP ends the run cleanly, a second one at once. Without *decided* they go afterwards
    where they went before.
    """
    bus: Bus[e.Event] = Bus()
    redactor = Redactor(settings.secrets())
    past, catch_up = await anyio.to_thread.run_sync(look_back, settings)
    run_id = past.run if past is not None else new_run_id()
    recorder = Recorder(run=run_id, redactor=redactor, steady=time.monotonic)
    bus.tap(recorder.record)
    began = time.monotonic()
    with recorder.envelopes.subscribe(Envelope) as envelopes, _Signals(bus.publish, decided) as signals:
        async with (
            _on_a_page(settings.web, recorder.envelopes, None if past is None else catch_up),
            recorded(settings, bus.publish, recorder) as run_dir,
            audience(settings, recorder.envelopes, bus.publish, run_dir, catch_up),
            keep_service_informed(lambda: recorder.now, status),
            anyio.create_task_group() as faces,
        ):
            faces.start_soon(harmless, bus.publish, "output", partial(face.show, envelopes))
            async with (
                equip(settings, bus, recorder, redactor, run_dir, face=face, past=past, tidy=tidy) as kit,
                anyio.create_task_group() as tasks,
            ):
                signals.listen()
                tasks.start_soon(meanwhile, kit)
                conclusion = await conduct(kit, agenda(settings), dropped=face.dropped)
                tasks.cancel_scope.cancel()
            signals.ending = conclusion.exit_code
            bus.publish(_finished(conclusion, time.monotonic() - began))
            envelopes.close()
    return conclusion.exit_code


async def conduct(kit: Kit, wanted: Agenda, *, dropped: Callable[[], int] = lambda: 0) -> Conclude:
    """Drive a run to its conclusion with everything in *kit*; *dropped* counts the lines nobody read."""
    kit.bus.publish(_started(kit.settings, tidy=kit.tidy))
    past = kit.past
    if past is not None:
        kit.bus.publish(resumed(past, tidy=kit.tidy))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_beat, kit, dropped)
        coordinator = Coordinator(
            bus=kit.bus, plan=_plan(wanted, kit), deeds=TidyDeeds(kit) if kit.tidy else RunDeeds(kit)
        )
        conclusion = await coordinator.run()
        tasks.cancel_scope.cancel()
    return conclusion


def _plan(wanted: Agenda, kit: Kit) -> Plan:
    past, sections = kit.past, Sections()
    if past is not None:
        interrupted = None if past.interrupted is None else past.interrupted.id
        sections = Sections(reports=past.done, interrupted=interrupted)
    itinerary = Tidying() if kit.tidy else Itinerary()
    return Plan(agenda=wanted, itinerary=itinerary, sections=sections)


def _on_a_page(
    web: WebSettings, envelopes: Bus[Envelope], catch_up: CatchUp | None
) -> AbstractAsyncContextManager[None]:
    if not web.enabled:
        return nullcontext()
    from plexsuper.faces.web.page import page_beside  # noqa: PLC0415 - who wants no page needs no memory for it

    tell = partial(print, file=sys.stderr, flush=True)
    return page_beside(envelopes, host=web.host, port=web.port, token=web.token, tell=tell, catch_up=catch_up)


async def _beat(kit: Kit, dropped: Callable[[], int]) -> None:
    began = anyio.current_time()
    while True:
        await anyio.sleep(HEARTBEAT)
        stage = kit.now().stage or Stage.PREFLIGHT
        uptime = anyio.current_time() - began
        kit.bus.publish(e.RunHeartbeat(uptime=uptime, stage=stage, dropped=dropped()))


class _Signals:
    """Turns the first signal into a fact; the second one ends the process where it stands.

    It listens until everything is closed: one that comes when the run is over has nothing to interrupt. Then others take
    the signals from it. A receiver of the event loop would leave them to the kernel at its end, and with them the exit code.
    """

    def __init__(self, publish: Publish, decided: Decided | None) -> None:
        self._publish = publish
        self._decided = decided
        self._before: dict[signal.Signals, Any] = {}
        self._came = False
        self.ending: ExitCode | None = None
        """The exit code of a run that is over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._decided is not None and self.ending is not None and error is None:
            self._decided(self.ending)
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()

        def wake(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._hear, signal.Signals(number).name)

        for number in _SIGNALS:
            self._before[number] = signal.signal(number, wake)
            signal.siginterrupt(number, False)

    def _hear(self, name: str) -> None:
        if self._came:
            os._exit(ExitCode.INTERRUPTED if self.ending is None else self.ending)
        self._came = True
        if self.ending is None:
            self._publish(e.RunInterrupted(signal=name))


def _started(settings: Settings, *, tidy: bool) -> e.RunStarted:
    return e.RunStarted(
        profile=settings.profile,
        interval=settings.timing.interval,
        stall_after=settings.timing.stall_after,
        versions=versions(),
        sections=settings.run.sections,
        settings=settings.public(),
        tidy=tidy,
    )


def _finished(conclusion: Conclude, duration: float) -> e.RunFinished:
    return e.RunFinished(
        verdict=conclusion.verdict,
        exit_code=conclusion.exit_code,
        duration=duration,
        sections=conclusion.reports,
        detail=conclusion.detail,
    )
