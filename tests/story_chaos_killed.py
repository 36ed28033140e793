"""Plays the runs of `tests.story_chaos` with a supervisor that is killed at random moments and started again in the same world.

A process that is killed does nothing any more: everything by which it could reach Plex is cut before its tasks are
cancelled, and what it has frozen stays frozen. The next one folds what was recorded and begins as the product does. What
is unrealistic: a request that was on its way dies with whoever sent it, and the clean-up code runs all the same, into the
void.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Final

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.guard.guard import Guard
from plexsuper.app import conduct
from plexsuper.bus import Bus
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.freezer import Freezer
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import Conclude
from plexsuper.decisions.resume import PastRun, fold, why_not
from plexsuper.kit import Kit
from plexsuper.simulator.memory import World
from plexsuper.stream import Recorder
from plexsuper.terms import Removal, SectionRef, Stage
from tests import story
from tests.on_loop import disk_on_the_loop
from tests.story import MemoryRuntime, Story, ended
from tests.story_chaos import ANCHORS, Chaos, draw
from tests.story_chaos_findings import _frozen, _lost, _preferences, _scans, _told, _verdict
from tests.story_chaos_world import Record, play_chaos
from tests.story_survival import Wire

EPOCH = datetime(2026, 11, 23, tzinfo=UTC)
ANY_FACT = "fact"
"""An anchor that every fact is."""
_AGAIN: Final = 150.0
_STARTS: Final = 12
"""So often a run is started again, every so many seconds, while it cannot reach storage or Plex."""
_LONGEST_FAULT: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The supervisor is killed `delay` s after the `nth` fact of an anchor; the next one starts `gap` s later.

    The last `unkept` facts were still on their way to the journal.
    """

    anchor: str
    nth: int = 1
    delay: float = 0.0
    gap: float = 5.0
    unkept: int = 0


@dataclass(slots=True, kw_only=True)
class Life:
    """One process of a run: what it took over and told, and when it was killed, if it was; `froze`: it left Plex frozen."""

    past: PastRun | None
    facts: list[e.Event] = field(default_factory=list)
    killed_at: float | None = None
    froze: bool = False

    @property
    def killed(self) -> bool:
        """Whether it did not end by itself."""
        return self.killed_at is not None

    @property
    def stage(self) -> Stage | None:
        """The stage in which it ended."""
        return next((fact.stage for fact in reversed(self.facts) if isinstance(fact, e.StageStarted)), None)


@dataclass(slots=True, kw_only=True)
class Killed:
    """A run of chaos in several lives, and the world as it was in the end."""

    chaos: Chaos
    story: Story
    record: Record
    lives: list[Life]
    given_up: bool
    """Whether even the last start could not reach storage or Plex."""


class MortalRuntime(MemoryRuntime):
    """A runtime whose owner can die; *frozen* tells since when Plex stands still, as the product's file does."""

    def __init__(self, world: World, frozen: list[float], *, owned: bool) -> None:
        super().__init__(world, owned=owned)
        self.dead = False
        self.record = frozen

    async def start(self) -> int:
        await self._require()
        return await super().start()

    async def stop(self, patience: float) -> int | None:
        await self._require()
        self.record.clear()
        return await super().stop(patience)

    def freeze(self) -> tuple[int, ...]:
        if self.dead:
            return ()
        self.record.append(anyio.current_time())
        return super().freeze()

    def thaw(self, pids: Sequence[int]) -> None:
        if not self.dead:
            self.record.clear()
            super().thaw(pids)

    def end_scanners(self) -> int:
        return 0 if self.dead else super().end_scanners()

    def take_over(self) -> tuple[tuple[int, ...], float]:
        if not self.record:
            return (), 0.0
        self.end_scanners()
        return (self.PID,), anyio.current_time() - self.record[0]

    async def _require(self) -> None:
        if self.dead:
            await anyio.sleep_forever()


def deaths_of(seed: int) -> tuple[Death, ...]:
    """Return when the supervisor of *seed* is killed: once or twice."""
    rng = random.Random(f"killed {seed}")
    return tuple(_death(rng) for _ in range(rng.choice((1, 1, 2))))


def _death(rng: random.Random) -> Death:
    anchor = rng.choice((ANY_FACT, ANY_FACT, "frozen", "healing", "clean-up", rng.choice(tuple(ANCHORS))))
    soon = (0.0, rng.uniform(0, 0.5), rng.uniform(0, 3))
    return Death(
        anchor=anchor,
        nth=rng.randint(1, 70) if anchor == ANY_FACT else 1,
        delay=rng.choice(soon[:2] if anchor == "clean-up" else (*soon, rng.uniform(0, 20))),
        gap=rng.choice((0.0, rng.uniform(0, 5), rng.uniform(0, 60), rng.uniform(60, 600))),
        unkept=rng.choice((0, 0, 1, 3)),
    )


def chaos_of(seed: int) -> Chaos:
    """Return the chaos of *seed* in which every fault ends, so that a later start can vouch for what was lost.

    A server that is down is started without a check of its database, which takes processes.
    """
    chaos = draw(seed)
    deeds = tuple(replace(deed, seconds=min(deed.seconds, _LONGEST_FAULT)) for deed in chaos.deeds)
    return replace(chaos, deeds=deeds, settings={**chaos.settings, "library": {"check": "off"}})


def play_killed(chaos: Chaos, deaths: tuple[Death, ...], state_dir: Path) -> Killed:
    """Play the run of *chaos*, killed by *deaths*, until one of its lives comes to an end that it can vouch for."""
    stage = _Stage(chaos, deaths)
    with pytest.MonkeyPatch.context() as patch, disk_on_the_loop():
        patch.setattr(story, "conduct", stage.conduct)
        told, record = play_chaos(chaos, state_dir)
    return Killed(chaos=chaos, story=told, record=record, lives=stage.lives, given_up=stage.given_up)


class _Stage:
    """Where the lives of one run are played, and what they have recorded."""

    def __init__(self, chaos: Chaos, deaths: tuple[Death, ...]) -> None:
        self.lives: list[Life] = []
        self._chaos = chaos
        self._deaths = deaths
        self._kept: list[tuple[datetime, e.Event]] = []
        self._frozen: list[float] = []
        self.given_up = False

    async def conduct(self, kit: Kit, wanted: Agenda) -> Conclude:
        """Do what `app.conduct` does, in one life after the other."""
        deaths = iter(self._deaths)
        for _ in range(len(self._deaths) + _STARTS):
            death = next(deaths, None)
            conclusion = await self._live(kit, wanted, death)
            if conclusion is not None and not self._is_taken_up(conclusion):
                return conclusion
            await anyio.sleep(death.gap if death is not None and conclusion is None else _AGAIN)
        assert conclusion is not None
        self.given_up = True
        return conclusion

    def _is_taken_up(self, conclusion: Conclude) -> bool:
        """Say whether a run that was killed and then could not even reach Plex again is started once more."""
        last = self.lives[-1]
        restored = any(
            isinstance(fact, e.StageFinished) and fact.stage is Stage.RESTORE for fact in last.facts
        )
        if last.past is None or restored:
            return False
        self._keep(ended(conclusion))
        return why_not(self._past()) == ""

    def _past(self) -> PastRun:
        past = fold("story", self._kept)
        assert past is not None
        return past

    def _keep(self, fact: e.Event) -> None:
        self._kept.append((EPOCH + timedelta(seconds=anyio.current_time()), fact))

    async def _live(self, kit: Kit, wanted: Agenda, death: Death | None) -> Conclude | None:
        past = self._past() if self._kept else None
        assert past is None or why_not(past) == ""
        life = Life(past=past)
        self.lives.append(life)
        assert isinstance(kit.runtime, MemoryRuntime)
        world = kit.runtime._world
        wire, bus = Wire(world.transport(http)), Bus[e.Event]()
        runtime = MortalRuntime(world, self._frozen, owned=self._chaos.owned)
        due = anyio.Event()

        def note(fact: e.Event) -> None:
            if runtime.dead:
                return
            life.facts.append(fact)
            self._keep(fact)
            if death is not None and _reached(death, life.facts):
                due.set()
            kit.bus.publish(fact)

        async def kill(after: Death) -> None:
            await due.wait()
            await anyio.sleep(after.delay)
            life.killed_at, life.froze = anyio.current_time(), bool(self._frozen)
            wire.cut = runtime.dead = True
            tasks.cancel_scope.cancel()

        bus.tap(note)
        conclusion: Conclude | None = None
        async with anyio.create_task_group() as tasks:
            if death is not None:
                tasks.start_soon(kill, death)
            conclusion = await conduct(_equipped(kit, wire, runtime, bus, past), wanted)
            tasks.cancel_scope.cancel()
        if not life.killed:
            return conclusion
        assert death is not None
        del self._kept[max(1, len(self._kept) - death.unkept) :]
        return None


def _reached(death: Death, facts: list[e.Event]) -> bool:
    anchor = ANCHORS.get(death.anchor, lambda _: True)
    return bool(anchor(facts[-1])) and sum(map(anchor, facts)) == death.nth


def _equipped(kit: Kit, wire: Wire, runtime: MortalRuntime, bus: Bus[e.Event], past: PastRun | None) -> Kit:
    """Return what a new process works with: nothing of the one before it but files."""
    recorder = Recorder(run="story", redactor=kit.redactor)
    bus.tap(recorder.record)
    freezer = Freezer(runtime, bus.publish)
    assert kit.guard is not None
    means = kit.guard._means

    async def write(removals: Sequence[tuple[SectionRef, Removal]]) -> None:
        if not runtime.dead:
            await means.write(removals)

    return replace(
        kit,
        bus=bus,
        now=lambda: recorder.now,
        plex=Plex(wire),
        runtime=runtime,
        freezer=freezer,
        guard=Guard(replace(means, publish=bus.publish, freezer=freezer, write=write)),
        resources=AsyncExitStack(),
        past=past,
    )


def killed_findings(told: Killed) -> list[str]:
    """Return every way in which the run was not as it must be.

    Lost entries, fates, scans and freezing are those of `tests.story_chaos_findings` over all lives together. The dead
    concludes nothing and gives no preference back: for verdict and preferences the last life stands. Each life
    tells that it goes on, and what the one before it left frozen; that goes on when storage is proved. One that could not even reach storage or Plex
    vouches for nothing, so that it is started again until one does.
    """
    return list(_findings(told))


def _findings(told: Killed) -> Iterator[str]:
    chaos, whole, record = told.chaos, told.story, told.record
    if told.given_up:
        yield f"the run was not over after {len(told.lives)} lives"
    yield from _lost(chaos, whole, record)
    yield from _told(chaos, whole, record)
    yield from _scans(chaos, whole, record)
    yield from _frozen(whole, record)
    begun = len(whole.facts) - len(told.lives[-1].facts)
    last = replace(whole, facts=whole.facts[begun:], times=whole.times[begun:])
    yield from _verdict(last)
    yield from _preferences(last, record)
    yield from _taken_up(told)


def _taken_up(told: Killed) -> Iterator[str]:
    """The next one says what it takes over, and what the dead has left frozen goes on only on proved storage."""
    for before, life in pairwise(told.lives):
        first = list(takewhile(lambda fact: not isinstance(fact, e.StageStarted), life.facts))
        if not any(isinstance(fact, e.RunResumed) for fact in first):
            yield "a life did not tell that it goes on"
        if before.froze and (why := _moved_unproved(life)):
            yield why


def _moved_unproved(life: Life) -> str:
    """Say whether what was left frozen before this life went on in it while nobody had proved the storage.

    In the clean-up it has to: to end, or to answer once more. Its scanners are ended.
    """
    first = next((n for n, fact in enumerate(life.facts) if isinstance(fact, e.MountReady | e.PlexThawed)), 0)
    if not isinstance(life.facts[first], e.PlexThawed):
        return ""
    then = next((fact.stage for fact in life.facts[first:] if isinstance(fact, e.StageStarted)), None)
    return (
        ""
        if then in (Stage.RESTORE, Stage.STOP)
        else "what was left frozen went on before storage was proved"
    )
