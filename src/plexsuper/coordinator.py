"""Carries out the orders of the plan: one deed at a time, cancelled when the plan says so.

The coordinator is the only one who starts and cancels work. It feeds the decisive facts of the bus to the plan, starts
stages, phases and monitors in its own task group, and reports how each deed ended as a fact of its own. It
decides nothing.
"""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Never, Protocol

import anyio
from anyio.abc import TaskGroup

from plexsuper import events as e
from plexsuper.bus import Bus, Subscription
from plexsuper.decisions.orders import (
    CancelDeed,
    CloseSection,
    Conclude,
    Freeze,
    Monitor,
    Order,
    Recover,
    RunPhase,
    RunStage,
    SkipPhase,
    Thaw,
    TurnTo,
    Unwatch,
    Watch,
)
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.stages import DECISIVE
from plexsuper.errors import ExitCode, PlexsuperError
from plexsuper.supervise import bare, persevere, supervise
from plexsuper.terms import Outcome, PhaseReport, Stage


class Deeds(Protocol):
    """Everything a run can be told to do; the stages and phases themselves live in `actions/`."""

    async def stage(self, stage: Stage) -> Outcome:
        """Carry out *stage*; return DONE or SKIPPED, or raise a `PlexsuperError`."""
        ...

    async def phase(self, order: RunPhase) -> PhaseReport:
        """Carry out a phase of a section and report how it ended; when cancelled, Plex has been told to stop."""
        ...

    async def recover(self, reason: e.MountFault) -> None:
        """Bring the storage that we mounted back; tell what is tried, and never raise."""
        ...

    def freeze(self, order: Freeze) -> None:
        """Let Plex stand still, within milliseconds; never raises."""
        ...

    def thaw(self, order: Thaw) -> None:
        """Let Plex go on."""
        ...

    @property
    def monitors(self) -> Mapping[Monitor, Callable[[], Awaitable[Never]]]:
        """How each monitor is run."""
        ...


@dataclass(slots=True)
class _Deed:
    """The deed in hand and the handle to cancel it."""

    scope: anyio.CancelScope
    reason: str = ""


class Coordinator:
    """Drives one run from its first order to its conclusion."""

    def __init__(self, *, bus: Bus[e.Event], plan: Plan, deeds: Deeds) -> None:
        self._bus = bus
        self._plan = plan
        self._deeds = deeds
        self._deed: _Deed | None = None
        self._watching: dict[Monitor, anyio.CancelScope] = {}
        self._recovery: anyio.CancelScope | None = None

    async def run(self) -> Conclude:
        """Carry out orders until the plan concludes; nothing of the run is left running when this returns."""
        with self._bus.subscribe(*DECISIVE) as facts:
            async with anyio.create_task_group() as tasks:
                conclusion = await self._conduct(facts, tasks)
                tasks.cancel_scope.cancel()
        return conclusion

    async def _conduct(self, facts: Subscription[e.Event], tasks: TaskGroup) -> Conclude:
        self._plan, orders = self._plan.begin()
        while True:
            conclusion = self._carry_out(orders, tasks)
            if conclusion is not None:
                return conclusion
            self._plan, orders = self._plan.after(await anext(facts))

    def _carry_out(  # noqa: C901, PLR0912 - one flat table of orders
        self, orders: tuple[Order, ...], tasks: TaskGroup
    ) -> Conclude | None:
        for order in orders:
            match order:
                case RunStage():
                    tasks.start_soon(self._run_stage, self._begin(), order.stage)
                case RunPhase():
                    tasks.start_soon(self._run_phase, self._begin(), order)
                case CancelDeed():
                    self._cancel(order.reason)
                case Freeze():
                    self._deeds.freeze(order)
                case Thaw():
                    self._deeds.thaw(order)
                case Recover():
                    self._recover(tasks, order)
                case Watch():
                    for monitor in order.monitors:
                        self._watch(tasks, monitor)
                case Unwatch():
                    for monitor in order.monitors:
                        self._unwatch(monitor)
                case TurnTo() | SkipPhase() | CloseSection():
                    self._bus.publish(_announcement(order))
                case Conclude():
                    return order
        return None

    # --- deeds ---------------------------------------------------------------------------------------

    def _begin(self) -> _Deed:
        self._deed = _Deed(anyio.CancelScope())
        return self._deed

    def _cancel(self, reason: str) -> None:
        if self._deed is not None:
            self._deed.reason = reason
            self._deed.scope.cancel()

    async def _run_stage(self, deed: _Deed, stage: Stage) -> None:
        began = anyio.current_time()
        self._bus.publish(e.StageStarted(stage=stage))
        outcome, code, detail = Outcome.CANCELLED, ExitCode.DONE, ""
        with deed.scope:
            try:
                outcome = await self._deeds.stage(stage)
            except Exception as error:  # noqa: BLE001 - a bug in one deed must not leave Plex silenced
                outcome, code, detail = Outcome.FAILED, *_explained(error)
        self._deed = None
        self._bus.publish(
            e.StageFinished(
                stage=stage,
                outcome=outcome,
                seconds=anyio.current_time() - began,
                exit_code=code,
                detail=detail or deed.reason,
            )
        )

    async def _run_phase(self, deed: _Deed, order: RunPhase) -> None:
        began = anyio.current_time()
        report: PhaseReport | None = None
        outcome, note = Outcome.CANCELLED, ""
        with deed.scope:
            try:
                report = await self._deeds.phase(order)
            except Exception as error:  # noqa: BLE001 - a bug in one deed must not leave Plex silenced
                outcome, note = Outcome.FAILED, _explained(error)[1]
        self._deed = None
        if report is None:
            seconds = anyio.current_time() - began
            report = PhaseReport(
                phase=order.phase, outcome=outcome, seconds=seconds, note=note or deed.reason
            )
        self._bus.publish(e.SectionPhaseFinished(section=order.section, report=report))

    # --- monitors ------------------------------------------------------------------------------------

    def _watch(self, tasks: TaskGroup, monitor: Monitor) -> None:
        if monitor not in self._watching:
            self._watching[monitor] = scope = anyio.CancelScope()
            tasks.start_soon(self._supervise, monitor, scope)

    def _recover(self, tasks: TaskGroup, order: Recover) -> None:
        """One recovery at a time; what is wrong may change while it runs, and it sees to that itself."""
        if self._recovery is None:
            self._recovery = anyio.CancelScope()
            tasks.start_soon(self._run_recovery, self._recovery, order)

    async def _run_recovery(self, scope: anyio.CancelScope, order: Recover) -> None:
        with scope:
            await persevere(self._bus.publish, "recovery", partial(self._deeds.recover, order.reason))
        self._recovery = None

    def _unwatch(self, monitor: Monitor) -> None:
        if monitor is Monitor.MOUNT and self._recovery is not None:
            self._recovery.cancel()  # nothing is mounted any more once the clean-up has begun (lesson L41)
        if monitor in self._watching:
            self._watching.pop(monitor).cancel()

    async def _supervise(self, monitor: Monitor, scope: anyio.CancelScope) -> None:
        with scope:
            await supervise(self._bus.publish, monitor.value, self._deeds.monitors[monitor])


def _explained(error: Exception) -> tuple[ExitCode, str]:
    error = bare(error)
    if isinstance(error, PlexsuperError):
        return error.exit_code, str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    detail = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    return ExitCode.INTERNAL, f"internal error, please report it: {detail}"


def _announcement(order: TurnTo | SkipPhase | CloseSection) -> e.Event:
    match order:
        case TurnTo():
            return e.SectionStarted(section=order.section, phases=order.phases)
        case SkipPhase():
            report = PhaseReport(phase=order.phase, outcome=Outcome.SKIPPED, seconds=0.0, note=order.reason)
            return e.SectionPhaseFinished(section=order.section, report=report)
        case CloseSection():
            return e.SectionFinished(section=order.report.section, report=order.report)
