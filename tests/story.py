"""Plays whole runs in virtual time: the product's own plan, deeds and monitors against an embedded Plex.

What is unrealistic: there is no operating system. HTTP, notifications and processes are those of the simulator
in memory, the library is read on the event loop, and the media tree exists in memory only; signals arrive as
the fact they become. Everything else is the product.
"""

import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.guard.means import Lookups, Means
from plexsuper.app import conduct
from plexsuper.bus import Bus
from plexsuper.clients.library.live import LOCATIONS_SQL, SECTIONS_SQL, Library, sections_from_rows
from plexsuper.clients.library.manifest import Manifest
from plexsuper.clients.library.mark import LibraryMarks, read_marks
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.processes.command_line import scanner_of
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.config import Settings
from plexsuper.decisions.health import Failure, Proof
from plexsuper.decisions.orders import Conclude
from plexsuper.decisions.resume import PastRun
from plexsuper.errors import ServerAway, ServerRefused, StateError
from plexsuper.kit import Kit, agenda
from plexsuper.redact import Redactor
from plexsuper.simulator.identity import Account, PreferencesFile
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.life import Life
from plexsuper.simulator.memory import World, simulate_in_memory
from plexsuper.simulator.shelves import Shelf
from plexsuper.stream import Recorder
from plexsuper.terms import LibraryMark, Removal, Scanner, Section, SectionDefinition, SectionRef, Statistics
from tests.on_loop import disk_on_the_loop, open_on_loop, tools_on_the_loop
from tests.virtual_time import run_virtual

F = TypeVar("F", bound=e.Event)


class MemoryRuntime:
    """The server's place as `Runtime`: its processes are the simulator's table, its end is the server's state."""

    PID = 100

    def __init__(self, world: World, *, owned: bool) -> None:
        self._world = world
        self._ours = owned

    @property
    def owned(self) -> bool:
        return self._ours and self.pid is not None

    @owned.setter
    def owned(self, ours: bool) -> None:
        self._ours = ours

    @property
    def pid(self) -> int | None:
        return None if self._world.server.exit_code or self._world.server.over else self.PID

    async def start(self) -> int:
        await anyio.lowlevel.checkpoint()
        if not self._world.server.over:
            raise ServerRefused("a server in memory that comes back by itself is not started")
        self._world.start()
        self._ours = True
        return self.PID

    async def stop(self, patience: float) -> int | None:
        self._world.server.stop()
        with anyio.move_on_after(patience):
            while not self._world.server.over:
                await self._world.server.changed.wait()
        return self._world.server.exit_code

    def scanners(self) -> tuple[Scanner, ...]:
        found = (scanner_of(pid, argv) for pid, argv in self._world.processes.cmdlines().items())
        return tuple(scanner for scanner in found if scanner is not None)

    async def exited(self, pid: int) -> None:
        if pid != self.PID:
            await self._world.processes.exited(pid)
            return
        while self.pid is not None:
            await self._world.server.changed.wait()

    def cpu_time(self, pid: int) -> float | None:
        return self._world.processes.cpu_time(pid)

    def bytes_read(self, pid: int) -> int | None:
        return self._world.processes.bytes_read(pid)

    def inside(self, path: str) -> str:
        return path

    def freeze(self) -> tuple[int, ...]:
        return (self.PID, *self._world.freeze())

    def take_over(self) -> tuple[tuple[int, ...], float]:
        return (), 0.0

    def thaw(self, pids: Sequence[int]) -> None:
        self._world.thaw()

    def end_scanners(self) -> int:
        scanners = self.scanners()
        for scanner in scanners:
            self._world.processes.kill(scanner.pid)
        return len(scanners)

    def log_tail(self, lines: int) -> tuple[str, ...]:
        return tuple(self._world.console[-lines:])

    async def preferences_xml(self) -> dict[str, str]:
        await anyio.lowlevel.checkpoint()
        file = PreferencesFile(self._world.layout.preferences)
        if not file.values:
            raise ServerAway("there is no Preferences.xml yet")
        return dict(file.values)


class MemoryProbe:
    """Looks at the world's tree as the probe's helper process looks at a file system."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.looks = 0
        self.separate = False
        """Whether storage is fine although Plex's own view of it is not."""

    async def look(self, deadline: float) -> Proof | Failure:
        self.looks += 1
        if self.separate:
            return Proof(entries=1, latency=0.0, detail="fine")
        began = anyio.current_time()
        try:
            with anyio.fail_after(deadline):
                listing = await self._world.tree.listing("/media")
                for file in self._world.tree.files("/media")[:1]:
                    await self._world.tree.read(file)
        except TimeoutError:
            return Failure(reason="hung", detail=f"no answer within {deadline:g} s")
        except FileNotFoundError as error:
            return Failure(reason="unreadable", detail=str(error))
        except OSError as error:
            return Failure(reason="dead", detail=os.strerror(error.errno or 0))
        if not listing.folders:
            return Failure(reason="empty", detail="the storage lists nothing")
        return Proof(
            entries=len(listing.folders), latency=anyio.current_time() - began, detail="listed and read"
        )

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        if self.separate:
            return tuple(True for _ in paths)
        there = []
        for path in map(os.fsdecode, paths):
            try:
                there.append(path == "/media" or await self._is_listed(path))
            except OSError as error:
                return Failure(reason="dead", detail=str(error))
        return tuple(there)

    async def readable(self, root: str, names: Sequence[str], deadline: float) -> Proof | Failure:
        why = "hung"
        with anyio.move_on_after(deadline):
            for name in names:
                try:
                    await self._world.tree.read(f"{root}/{name}")
                except OSError as error:
                    why = str(error)
                else:
                    return Proof(entries=1, latency=0.0, detail="read")
            return Failure(reason="unreadable", detail=why)
        return Failure(reason="hung", detail=f"no answer within {deadline:g} s")

    async def _is_listed(self, path: str) -> bool:
        folder, name = os.path.split(path)
        try:
            listing = await self._world.tree.listing(folder)
        except FileNotFoundError:
            return False
        return name in listing.files or name in listing.folders


class MemoryLibrary:
    """The world's library as `LibrarySource`, read on the event loop."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def name(self) -> str:
        return "library in memory"

    async def exists(self) -> bool:
        await anyio.lowlevel.checkpoint()
        return self._world.layout.library.exists()

    async def survey(self) -> tuple[tuple[Section, ...], Statistics]:
        with self._world.rows() as rows:
            sections = await rows.execute_fetchall(SECTIONS_SQL)
            locations = await rows.execute_fetchall(LOCATIONS_SQL)
            return sections_from_rows(sections, locations), await Library(rows).statistics()

    async def marks(self, wanted: Mapping[int, LibraryMark | None]) -> LibraryMarks:
        with closing(sqlite3.connect(f"file:{self._world.layout.library}?mode=ro", uri=True)) as conn:
            return read_marks(conn.execute, wanted)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Library]:
        with self._world.rows() as rows:
            yield Library(rows)

    async def log_is_folded_in(self) -> bool:
        await anyio.lowlevel.checkpoint()
        wal = self._world.layout.library.with_name(self._world.layout.library.name + "-wal")
        return not wal.exists() or wal.stat().st_size == 0


@dataclass
class Story:
    """A run that is being played or has been played."""

    world: World
    bus: Bus[e.Event]
    recorder: Recorder
    probe: MemoryProbe
    run_dir: Path
    facts: list[e.Event] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    conclusion: Conclude | None = None
    removals: tuple[Removal, ...] = ()
    disk_full: bool = False
    """Whether the list of removals cannot be written."""

    preferences_before: dict[str, str] = field(default_factory=dict)
    preferences_after: dict[str, str] = field(default_factory=dict)

    def of(self, *kinds: type[F]) -> list[F]:
        """Return the facts of *kinds*, in order."""
        return [fact for fact in self.facts if isinstance(fact, kinds)]

    def at(self, kind: type[e.Event], wanted: Callable[[Any], bool] = lambda _: True) -> float:
        """Return the time of the first such fact."""
        return next(
            t
            for fact, t in zip(self.facts, self.times, strict=True)
            if isinstance(fact, kind) and wanted(fact)
        )

    async def until(self, kind: type[F], wanted: Callable[[F], bool] = lambda _: True) -> F:
        """Wait for a fact; for whoever interferes with the run."""
        with self.bus.subscribe(kind) as facts:
            return await facts.first(wanted)


Interference = Callable[[Story], Coroutine[Any, Any, None]]


def ended(conclusion: Conclude, duration: float = 0.0) -> e.RunFinished:
    """Return the last event of a run that concludes so."""
    return e.RunFinished(
        verdict=conclusion.verdict,
        exit_code=conclusion.exit_code,
        duration=duration,
        sections=conclusion.reports,
        detail=conclusion.detail,
    )


def life(story: Story) -> Life:
    """Return the working parts of the story's server, which must be up."""
    assert story.world.server.life is not None
    return story.world.server.life


async def _nothing(_: Story) -> None:
    await anyio.lowlevel.checkpoint()


def settings(**changes: Any) -> Settings:
    """Return the settings of a story: profile local_quick, unless *changes* (nested tables) say otherwise."""
    tables: dict[str, Any] = {
        "profile": "local_quick",
        "state_dir": Path("/dev/shm/plexsuper-story"),
        "media": {"path": Path("/media"), "every": 1.0, "deadline": 5.0, "patience": 120.0},
        "plex": {"config_dir": Path("/config")},
    }
    for table, values in changes.items():
        tables[table] = {**tables.get(table, {}), **values} if isinstance(values, dict) else values
    return Settings(**tables)


def play(
    *shelves: Shelf,
    meanwhile: Interference = _nothing,
    knobs: Knobs | None = None,
    account: Account | None = None,
    seed: int = 0,
    definitions: tuple[SectionDefinition, ...] = (),
    owned: bool = False,
    state_dir: Path,
    patience: float = 60.0,
    linger: float = 0.0,
    run_dir: Path | None = None,
    prepare: Callable[[Story], None] = lambda _: None,
    finally_: Callable[[Story], None] = lambda _: None,
    undo: bool = False,
    lookups: Callable[[Story], Lookups] | None = None,
    past: PastRun | None = None,
    **changes: Any,
) -> Story:
    """Play a run over *shelves* while *meanwhile* interferes, and return everything that happened.

    The world goes on for *linger* seconds after the run: what the run did not wait for shows then. *prepare* is called
    before the run, *finally_* when it has ended, while the world is still there. With *undo* the library is copied
    before the first scan, by the product's own tools. *lookups* replaces the lookups through the mount. *past* is what
    the run had done before.
    """
    wanted = settings(state_dir=state_dir, **changes)
    state_dir.mkdir(parents=True, exist_ok=True)
    place = run_dir or Path(tempfile.mkdtemp(prefix="run-", dir=state_dir))

    async def main() -> Story:
        async with simulate_in_memory(shelves, knobs=knobs, account=account, seed=seed) as world:
            redactor = Redactor(wanted.secrets())
            chosen = _with_files_of(world, wanted) if undo else wanted
            story = Story(world, Bus(), Recorder(run="story", redactor=redactor), MemoryProbe(world), place)

            def note(fact: e.Event) -> None:
                story.facts.append(fact)
                story.times.append(anyio.current_time())

            story.bus.tap(note)
            story.bus.tap(story.recorder.record)
            runtime = MemoryRuntime(world, owned=owned)
            freezer = Freezer(runtime, story.bus.publish)
            library = MemoryLibrary(world)
            prepare(story)
            kit = Kit(
                settings=chosen,
                bus=story.bus,
                now=lambda: story.recorder.now,
                plex=Plex(world.transport(http)),
                runtime=runtime,
                probe=story.probe,
                library=library,
                freezer=freezer,
                guard=_guard(wanted, story, freezer, library, lookups) if wanted.guard.enabled else None,
                tools=tools_on_the_loop,
                run_dir=place if undo else None,
                definitions=definitions,
                past=past,
                redactor=redactor,
                preflight=anyio.lowlevel.checkpoint,
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(meanwhile, story)
                story.conclusion = await conduct(kit, agenda(wanted))
                await anyio.sleep(linger)
                finally_(story)
                tasks.cancel_scope.cancel()
        return story

    with disk_on_the_loop() if undo else nullcontext():
        return run_virtual(main, patience=patience)


def _with_files_of(world: World, wanted: Settings) -> Settings:
    plex = wanted.plex.model_copy(update={"config_dir": world.layout.data})
    return wanted.model_copy(update={"plex": plex})


def _guard(
    wanted: Settings,
    story: Story,
    freezer: Freezer,
    library: MemoryLibrary,
    lookups: Callable[[Story], Lookups] | None,
) -> Guard:
    async def write(removals: Sequence[tuple[SectionRef, Removal]]) -> None:
        if story.disk_full:
            raise StateError("the list of removals cannot be written (no space left on device)")
        story.removals = tuple(removal for _, removal in removals)

    def look_up(locations: Sequence[str], witnesses: Sequence[str]) -> MountLookup:
        return MountLookup(
            story.probe, str, locations=locations, witnesses=witnesses, deadline=wanted.media.deadline
        )

    return Guard(
        Means(
            settings=wanted.guard,
            publish=story.bus.publish,
            library=library,
            database=story.world.layout.library,
            manifest=Manifest(story.run_dir / "manifest.db", beside=open_on_loop),
            lookups=look_up if lookups is None else lookups(story),
            freezer=freezer,
            report=story.run_dir / "removals.jsonl",
            write=write,
            read=lambda root, names: story.probe.readable(root, names, wanted.media.deadline),
        )
    )


def token(account: Account) -> SecretStr:
    """Return the account's token as a client holds it."""
    return SecretStr(account.token)
