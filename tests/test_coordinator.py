"""The one who starts and cancels work: orders in, deeds and facts out; decisions are the plan's."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Never

import anyio
import pytest

from plexsuper import events as e
from plexsuper.bus import Bus
from plexsuper.coordinator import Coordinator
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import Conclude, Freeze, Monitor, RunPhase, Thaw
from plexsuper.decisions.plan import Plan
from plexsuper.errors import ExitCode, StorageError
from plexsuper.kinds import SectionType
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, Stage, Verdict
from tests.virtual_time import run_virtual

FILMS = Section(id=1, title="Films", type=SectionType.MOVIE)
TAKES = 10.0
"""Virtual seconds that each deed takes."""


class Deeds:
    """Deeds that do nothing but take time, and note when they begin, end and are cancelled."""

    def __init__(self, bus: Bus[e.Event], broken: Mapping[Stage | Phase, Exception]) -> None:
        self._bus = bus
        self._broken = broken
        self.log: list[str] = []
        self.watching: set[Monitor] = set()

    async def stage(self, stage: Stage) -> Outcome:
        await self._take_time(stage)
        if stage is Stage.CATALOGUE:
            self._bus.publish(e.SectionsChosen(sections=(FILMS,)))
        return Outcome.DONE

    async def phase(self, order: RunPhase) -> PhaseReport:
        await self._take_time(order.phase)
        return PhaseReport(phase=order.phase, outcome=Outcome.DONE, seconds=TAKES)

    def freeze(self, order: Freeze) -> None:
        self.log.append(f"frozen: {order.reason}")

    def thaw(self, order: Thaw) -> None:
        self.log.append("thawed, needlessly" if order.needless else "thawed")

    async def recover(self, reason: e.MountFault) -> None:
        self.log.append(f"recovery from {reason} begun")
        try:
            await anyio.sleep(3 * TAKES)
        except anyio.get_cancelled_exc_class():
            self.log.append("recovery cancelled")
            raise
        self.log.append("recovery ended")

    async def _take_time(self, deed: Stage | Phase) -> None:
        self.log.append(f"{deed} begun")
        try:
            await anyio.sleep(TAKES)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)  # saying goodbye
            self.log.append(f"{deed} cancelled")
            raise
        if deed in self._broken:
            raise self._broken[deed]
        self.log.append(f"{deed} ended")

    @property
    def monitors(self) -> Mapping[Monitor, Callable[[], Awaitable[Never]]]:
        return {monitor: self._watcher(monitor) for monitor in Monitor}

    def _watcher(self, monitor: Monitor) -> Callable[[], Awaitable[Never]]:
        async def watch() -> Never:
            self.watching.add(monitor)
            try:
                while True:
                    await anyio.sleep_forever()
            finally:
                self.watching.discard(monitor)

        return watch


class Run:
    """A run that was played: its conclusion, the facts, and what the deeds noted."""

    def __init__(
        self,
        broken: Mapping[Stage | Phase, Exception] | None = None,
        *,
        at: tuple[float, e.Event] | None = None,
    ) -> None:
        self.facts: list[e.Event] = []
        self._at = at
        bus: Bus[e.Event] = Bus()
        bus.tap(self.facts.append)
        self.deeds = Deeds(bus, broken or {})
        self.conclusion: Conclude = run_virtual(self._play, bus)

    async def _play(self, bus: Bus[e.Event]) -> Conclude:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._interfere, bus)
            coordinator = Coordinator(bus=bus, plan=Plan(agenda=Agenda(retries=0)), deeds=self.deeds)
            conclusion = await coordinator.run()
            tasks.cancel_scope.cancel()
        return conclusion

    async def _interfere(self, bus: Bus[e.Event]) -> None:
        if self._at is not None:
            await anyio.sleep(self._at[0])
            bus.publish(self._at[1])

    def finished(self, stage: Stage) -> e.StageFinished:
        (fact,) = (f for f in self.facts if isinstance(f, e.StageFinished) and f.stage is stage)
        return fact


def test_deeds_are_carried_out_one_at_a_time_in_the_order_of_the_plan():
    run = Run()
    assert (run.conclusion.verdict, run.conclusion.exit_code) == (Verdict.DONE, ExitCode.DONE)
    deeds = [
        *("preflight", "inputs", "database", "storage", "server", "token", "quiet", "catalogue"),
        *("scan", "analyze", "statistics", "restore", "stop"),
    ]
    assert run.deeds.log == [f"{deed} {what}" for deed in deeds for what in ("begun", "ended")]
    assert run.deeds.watching == set()


def test_a_bug_in_a_stage_is_an_internal_error_and_the_clean_up_still_runs():
    run = Run({Stage.CATALOGUE: RuntimeError("a bug")})
    assert (run.conclusion.verdict, run.conclusion.exit_code) == (Verdict.INTERNAL, ExitCode.INTERNAL)
    assert run.conclusion.detail.startswith(
        "internal error, please report it: RuntimeError: a bug (test_coordinator.py:"
    )
    assert run.deeds.log[-4:] == ["restore begun", "restore ended", "stop begun", "stop ended"]
    assert run.finished(Stage.CATALOGUE).outcome is Outcome.FAILED


def test_a_bug_in_a_phase_sets_the_section_aside_and_the_run_goes_on():
    run = Run({Phase.SCAN: ValueError("another bug")})
    assert run.conclusion.exit_code is ExitCode.SET_ASIDE
    (report,) = run.conclusion.reports
    assert report.reason.startswith("internal error, please report it: ValueError: another bug")
    assert run.deeds.log[-2:] == ["stop begun", "stop ended"]


def test_an_error_of_ours_keeps_its_exit_code_and_its_words():
    run = Run({Stage.STORAGE: StorageError("/media is empty: mount it")})
    assert (run.conclusion.exit_code, run.conclusion.detail) == (
        ExitCode.STORAGE,
        "/media is empty: mount it",
    )
    assert "server begun" not in run.deeds.log


def test_an_error_of_ours_keeps_its_exit_code_also_in_the_group_of_a_task_group():
    error = ExceptionGroup("unhandled errors", [KeyError("x"), StorageError("/media is empty: mount it")])
    run = Run({Stage.STORAGE: error})
    ended = run.finished(Stage.STORAGE)
    assert (ended.exit_code, ended.detail) == (ExitCode.STORAGE, "/media is empty: mount it")


@pytest.mark.lesson("L41")
def test_a_cancelled_phase_has_said_goodbye_before_the_clean_up_begins():
    run = Run(at=(85.0, e.RunInterrupted(signal="SIGTERM")))
    assert run.conclusion.exit_code is ExitCode.INTERRUPTED
    assert run.deeds.log[-6:] == [
        "scan begun",
        "scan cancelled",
        "restore begun",
        "restore ended",
        "stop begun",
        "stop ended",
    ]
    (ended,) = (fact for fact in run.facts if isinstance(fact, e.SectionPhaseFinished))
    assert (ended.report.outcome, ended.report.note) == (Outcome.CANCELLED, "ended by SIGTERM")
    assert ended.report.seconds == pytest.approx(6.0)


def test_a_deed_that_ends_while_it_is_cancelled_keeps_its_own_end():
    run = Run(at=(80.0, e.RunInterrupted(signal="SIGINT")))
    assert run.conclusion.exit_code is ExitCode.INTERRUPTED
    assert run.deeds.log[-4:] == ["restore begun", "restore ended", "stop begun", "stop ended"]


@pytest.mark.lesson("L45")
def test_monitors_run_from_the_stage_that_needs_them_to_the_clean_up():
    seen: dict[Stage, set[Monitor]] = {}

    class Noting(Deeds):
        async def stage(self, stage: Stage) -> Outcome:
            outcome = await super().stage(stage)
            seen[stage] = set(self.watching)
            return outcome

    async def play() -> None:
        bus: Bus[e.Event] = Bus()
        await Coordinator(bus=bus, plan=Plan(agenda=Agenda()), deeds=Noting(bus, {})).run()

    run_virtual(play)
    assert seen[Stage.STORAGE] == set()
    assert seen[Stage.SERVER] == seen[Stage.QUIET] == {Monitor.MOUNT, Monitor.FROST, Monitor.SERVER}
    assert seen[Stage.CATALOGUE] == seen[Stage.STATISTICS] == set(Monitor)
    assert seen[Stage.RESTORE] == {Monitor.FROST, Monitor.SERVER, Monitor.NOTIFICATIONS}
    assert seen[Stage.STOP] == set()


@pytest.mark.lesson("L41")
def test_a_recovery_runs_beside_the_phase_and_ends_before_the_clean_up():
    deeds: list[Deeds] = []

    async def play() -> None:
        bus: Bus[e.Event] = Bus()
        mine = Deeds(bus, {})
        deeds.append(mine)
        plan = Plan(agenda=Agenda(own_mount=True))

        async def interfere() -> None:
            with bus.subscribe(e.SectionStarted) as started:
                await started.first()
            bus.publish(e.MountLost(path="/media", reason="dead", detail="killed"))
            bus.publish(e.MountLost(path="/media", reason="hung", detail="again"))
            await anyio.sleep(0.5)
            bus.publish(e.RunInterrupted(signal="SIGTERM"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interfere)
            await Coordinator(bus=bus, plan=plan, deeds=mine).run()

    run_virtual(play)
    log = deeds[0].log[deeds[0].log.index("scan begun") + 1 :]
    assert log == [
        "frozen: killed",
        "recovery from dead begun",
        "scan cancelled",
        "thawed",
        "recovery cancelled",
        "restore begun",
        "restore ended",
        "stop begun",
        "stop ended",
    ]


def test_a_bug_in_the_recovery_is_told_and_the_storage_is_recovered_all_the_same():
    tries: list[float] = []

    class Clumsy(Deeds):
        async def recover(self, reason: e.MountFault) -> None:
            tries.append(anyio.current_time())
            if len(tries) < 3:
                raise KeyError(reason)
            self._bus.publish(e.MountRestored(path="/media", after=3.0))

    facts: list[e.Event] = []

    async def play() -> Conclude:
        bus: Bus[e.Event] = Bus()
        bus.tap(facts.append)
        coordinator = Coordinator(bus=bus, plan=Plan(agenda=Agenda(own_mount=True)), deeds=Clumsy(bus, {}))

        async def interfere() -> None:
            with bus.subscribe(e.SectionStarted) as started:
                await started.first()
            bus.publish(e.MountLost(path="/media", reason="dead", detail="killed"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interfere)
            conclusion = await coordinator.run()
            tasks.cancel_scope.cancel()
        return conclusion

    assert run_virtual(play).exit_code is ExitCode.DONE
    assert [at - tries[0] for at in tries] == [0, 1, 3]
    crashes = [fact for fact in facts if isinstance(fact, e.MonitorCrashed)]
    assert [(crash.monitor, crash.error) for crash in crashes] == [("recovery", "KeyError: 'dead'")] * 2
