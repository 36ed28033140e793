"""Runs in virtual time that are cut off at random moments and taken up again by the next one, in one world that goes on.

A process that is killed does nothing any more. Here its tasks are cancelled, but everything by which they could reach
the world is cut before: requests fail, frozen processes stay frozen, nothing is recorded. What is unrealistic: the clean-up
code runs all the same, into the void, and what it would write to plexsuper's own files is written.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from plexsuper import events as e
from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.guard.means import Means
from plexsuper.app import conduct
from plexsuper.bus import Bus
from plexsuper.clients.library.manifest import Manifest
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.processes.command_line import classify
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.decisions.orders import Conclude
from plexsuper.decisions.resume import PastRun, fold, why_not
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.kit import Kit, agenda
from plexsuper.redact import Redactor
from plexsuper.simulator.memory import MemoryTransport, World, simulate_in_memory
from plexsuper.stream import Recorder
from plexsuper.terms import Outcome, Removal, ScannerKind, SectionRef
from tests.on_loop import open_on_loop
from tests.story import MemoryLibrary, MemoryProbe, MemoryRuntime, settings
from tests.story_seeds import Draw, draw
from tests.virtual_time import run_virtual

EPOCH = datetime(2026, 11, 23, tzinfo=UTC)
LONGEST_GAP = 60.0
MOST_FACTS = 180
"""A life ends after so many facts at the latest; most runs tell fewer."""


class Wire:
    """Carries requests until it is cut."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self.cut = False

    async def request(self, method: str, path: str, **options: Any) -> Any:
        self._require()
        answer = await self._transport.request(method, path, **options)
        self._require()
        return answer

    def frames(
        self, path: str, *, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Any]:
        self._require()
        return self._transport.frames(path, headers=headers)

    def _require(self) -> None:
        if self.cut:
            raise http.NoAnswer("the process that asked was killed", refused=True)


class MortalRuntime(MemoryRuntime):
    """A runtime whose owner can die; what it has frozen stays so."""

    def __init__(self, world: World) -> None:
        super().__init__(world, owned=False)
        self.dead = False
        self.held = False

    def freeze(self) -> tuple[int, ...]:
        if self.dead:
            return ()
        self.held = True
        return super().freeze()

    def take_over(self) -> tuple[tuple[int, ...], float]:
        if not self.held:
            return (), 0.0
        self.end_scanners()
        return (self.PID,), 0.0

    def thaw(self, pids: Sequence[int]) -> None:
        if not self.dead:
            self.held = False
            super().thaw(pids)

    def end_scanners(self) -> int:
        return 0 if self.dead else super().end_scanners()


@dataclass(slots=True, kw_only=True)
class Life:
    """One process of the run: when it ended, by which fact, and what it took over."""

    past: PastRun | None
    begun: float
    facts: list[e.Event] = field(default_factory=list)
    conclusion: Conclude | None = None


@dataclass(slots=True, kw_only=True)
class Survival:
    """A run in several lives, and the world it happened in, as it was in the end."""

    seed: int
    drawn: Draw
    lives: list[Life] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def survive(seed: int, state_dir: Path) -> Survival:
    """Play the run of *seed*, cut it off once to three times, let it come to its end, and compare."""
    rng = random.Random(seed)
    told = Survival(seed=seed, drawn=_drawn(seed))
    state_dir.mkdir(parents=True, exist_ok=True)
    run_dir = state_dir / f"run-{seed}"
    run_dir.mkdir()

    async def main() -> None:
        drawn = told.drawn
        async with simulate_in_memory(
            drawn.shelves, knobs=drawn.knobs, account=drawn.account, seed=seed
        ) as world:
            await world.server.until("ready")
            assert world.server.life is not None
            before = dict(world.server.life.file.values)
            stage = _Stage(told=told, world=world, state_dir=state_dir, run_dir=run_dir)
            for _ in range(rng.randint(1, 3)):
                if await stage.live(rng.randint(1, MOST_FACTS), rng.uniform(0.0, 3.0)):
                    break
                await anyio.sleep(rng.uniform(0.0, LONGEST_GAP))
            else:
                assert await stage.live()
            await anyio.sleep(LONGEST_GAP)
            told.faults += _faults(told, world, before)

    run_virtual(main, patience=60.0)
    return told


def _drawn(seed: int) -> Draw:
    """A world that differs in everything but that nothing fails in it by itself."""
    drawn = draw(seed)
    return replace(drawn, knobs=replace(drawn.knobs, analysis_failures=0.0), refresh=False)


@dataclass(slots=True, kw_only=True)
class _Stage:
    """Where the lives of one run are played, and what they have recorded."""

    told: Survival
    world: World
    state_dir: Path
    run_dir: Path
    recorded: list[tuple[datetime, e.Event]] = field(default_factory=list)
    held: bool = False
    """Whether the life before has left Plex frozen."""

    async def live(self, facts: int = 0, seconds: float = 0.0) -> bool:
        """Live until so many *facts* were told and so many *seconds* have passed, or to the end; say whether it was that."""
        past = fold("story", self.recorded)
        assert past is None or why_not(past) == ""
        life = Life(past=past, begun=anyio.current_time())
        self.told.lives.append(life)
        wire, runtime, bus = Wire(self.world.transport(http)), MortalRuntime(self.world), Bus[e.Event]()
        runtime.held = self.held
        due = anyio.Event()

        def note(fact: e.Event) -> None:
            if wire.cut:
                return
            life.facts.append(fact)
            self.recorded.append((EPOCH + timedelta(seconds=anyio.current_time()), fact))
            if len(life.facts) == facts:
                due.set()

        async def kill() -> None:
            await due.wait()
            await anyio.sleep(seconds)
            wire.cut = runtime.dead = True
            tasks.cancel_scope.cancel()

        bus.tap(note)
        kit = self._kit(wire, runtime, bus, past)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            life.conclusion = await conduct(kit, agenda(kit.settings))
            tasks.cancel_scope.cancel()
        self.held = runtime.dead and runtime.held
        return life.conclusion is not None and not wire.cut

    def _kit(self, wire: Wire, runtime: MortalRuntime, bus: Bus[e.Event], past: PastRun | None) -> Kit:
        wanted = settings(state_dir=self.state_dir)
        redactor = Redactor(wanted.secrets())
        recorder = Recorder(run="story", redactor=redactor)
        bus.tap(recorder.record)
        freezer, library = Freezer(runtime, bus.publish), MemoryLibrary(self.world)
        probe = MemoryProbe(self.world)

        async def write(_: Sequence[tuple[SectionRef, Removal]]) -> None:
            await anyio.lowlevel.checkpoint()

        def look_up(locations: Sequence[str], witnesses: Sequence[str]) -> MountLookup:
            return MountLookup(probe, str, locations=locations, witnesses=witnesses, deadline=5.0)

        means = Means(
            settings=wanted.guard,
            publish=bus.publish,
            library=library,
            database=self.world.layout.library,
            manifest=Manifest(self.run_dir / "manifest.db", beside=open_on_loop),
            lookups=look_up,
            freezer=freezer,
            report=self.run_dir / "removals.jsonl",
            write=write,
        )
        return Kit(
            settings=wanted,
            bus=bus,
            now=lambda: recorder.now,
            plex=Plex(wire),
            runtime=runtime,
            probe=probe,
            library=library,
            freezer=freezer,
            guard=Guard(means),
            redactor=redactor,
            past=past,
            preflight=anyio.lowlevel.checkpoint,
        )


def _faults(told: Survival, world: World, before: Mapping[str, str]) -> list[str]:
    last = told.lives[-1]
    found = []
    if last.conclusion is None or last.conclusion.exit_code is not ExitCode.DONE:
        return [f"the run ended badly: {last.conclusion}"]
    assert world.server.life is not None
    if (after := dict(world.server.life.file.values)) != before:
        found.append(f"the preferences differ: {set(after.items()) ^ set(before.items())}")
    reports = {report.section.title: report.outcome for report in last.conclusion.reports}
    if reports != dict.fromkeys(world.sections, Outcome.DONE):
        found.append(f"the verdict tells of {reports}")
    left = {pid: argv for pid, argv in world.processes.cmdlines().items() if not _by_itself(argv)}
    if world.clock.frozen or left:
        found.append(f"left: frozen {world.clock.frozen}, {left}")
    return found + _counted(told, last) + _asked(told, world)


def _by_itself(argv: Sequence[str]) -> bool:
    """Whether it is work that Plex begins by itself: with its settings restored it may do so before anybody looks."""
    role = classify(argv)
    return role is not None and role[0] in {ScannerKind.DEEP, ScannerKind.CHAPTERS, ScannerKind.CREDITS}


def _counted(told: Survival, last: Life) -> list[str]:
    """Say in which section not every file is live and analysed in the end."""
    after = [fact for fact in last.facts if isinstance(fact, e.StatsCollected)][-1].statistics
    found = []
    for shelf in told.drawn.shelves:
        counted = next(section for section in after.sections if section.title == shelf.title)
        size = shelf.known + shelf.new
        if counted.analyzed != size:
            found.append(f"{shelf.title}: {counted} instead of {size} analysed files")
    trash = after.trashed
    if any((trash.movies, trash.episodes, trash.tracks, trash.photos)):
        found.append(f"something is in the trash: {trash}")
    music = sum(s.known + s.new for s in told.drawn.shelves if s.type is SectionType.ARTIST)
    if told.drawn.account.plex_pass and after.live.sonic != music:
        found.append(f"sonic: {after.live.sonic} of {music}")
    return found


def _asked(told: Survival, world: World) -> list[str]:
    """Say which section was scanned again although it was done, or not into every folder although it was cut off."""
    found: list[str] = []
    done: set[int] = set()
    cut: int | None = None
    for life, following in zip(told.lives, [*told.lives[1:], None], strict=True):
        end = following.begun if following is not None else float("inf")
        asked = [
            entry
            for entry in world.truth.of("scan.asked")
            if life.begun <= entry["mono"] < end and not entry.get("by_itself")
        ]
        found += [
            f"section {entry['section']} was done already" for entry in asked if entry["section"] in done
        ]
        first = next((entry for entry in asked if entry["section"] == cut), None)
        if first is not None and not first["force"]:
            found.append(f"the scan of section {cut}, which was cut off, was not thorough")
        done, cut = _progress(life, done, cut)
    return found


def _progress(life: Life, done: set[int], cut: int | None) -> tuple[set[int], int | None]:
    """Return which sections are done after *life*, and which one was in hand, by the facts alone."""
    for fact in life.facts:
        match fact:
            case e.SectionStarted():
                cut = fact.section.id
            case e.SectionFinished(report=report) if report.outcome is Outcome.DONE:
                done, cut = done | {fact.section.id}, None
            case _:
                continue
    return done, cut
