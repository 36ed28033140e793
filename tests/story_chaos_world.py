"""Plays the runs that `tests.story_chaos` draws: lays faults over storage, meddles with Plex, and keeps the record."""

import errno
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel

from plexsuper import events as e
from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, ControlAway, RemoteEntry
from plexsuper.clients.storage.lookup import RemoteLookup, name_below
from plexsuper.decisions.health import Failure, Proof
from plexsuper.simulator.identity import PreferencesFile
from plexsuper.simulator.media.tree import is_cut_off
from tests.story import MemoryProbe, Story, life, play
from tests.story_chaos import ANCHORS, CHANGES, FAULTS, ROOT, Chaos, Deed


@dataclass(slots=True)
class Span:
    """A fault that really lay over the world."""

    deed: Deed
    start: float
    end: float = math.inf


@dataclass(slots=True, kw_only=True)
class Record:
    """What happened to a world, and how it looked when the run was over."""

    spans: list[Span] = field(default_factory=list)
    looks: list[tuple[float, bool]] = field(default_factory=list)
    foreign_scans: set[float] = field(default_factory=set)
    removed: dict[str, float] = field(default_factory=dict)
    live_before: dict[str, int] = field(default_factory=dict)
    live_after: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    preferences: tuple[dict[str, str], dict[str, str]] = ({}, {})
    frozen: bool = False
    running: int = 0


class World:
    """Does the deeds of *chaos* to the world of a story, and keeps the record."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        self.record = Record()
        self._active: list[Span] = []

    def prepare(self, story: Story) -> None:
        """Look at the world before the run."""
        story.probe = _RecordingProbe(story, self.record)
        self.record.live_before = dict(_live(story))

    def conclude(self, story: Story) -> None:
        """Look at the world after the run."""
        record, world = self.record, story.world
        record.live_after = {file for file, _ in _live(story)}
        record.stored = set(world.tree.files(ROOT))
        record.preferences = (record.preferences[0], dict(PreferencesFile(world.layout.preferences).values))
        record.frozen = world.clock.frozen
        record.running = 0 if world.server.over else len(world.processes.running)

    async def meanwhile(self, story: Story) -> None:
        """Let everything happen at its moment."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._remember, story)
            for deed in self.chaos.deeds:
                tasks.start_soon(self._do, story, deed)

    async def _remember(self, story: Story) -> None:
        await story.until(e.TokenFound)
        self.record.preferences = (dict(life(story).file.values), {})

    async def _do(self, story: Story, deed: Deed) -> None:
        with story.bus.subscribe(*e.EVENT_TYPES) as facts:
            seen = 0
            while seen < deed.nth:
                seen += ANCHORS[deed.anchor](await anext(facts))
        await anyio.sleep(deed.delay)
        if deed.kind in FAULTS:
            span = Span(deed, anyio.current_time())
            self.record.spans.append(span)
            self._active.append(span)
            self._lay_over(story)
            await anyio.sleep(deed.seconds)
            span.end = anyio.current_time()
            self._active.remove(span)
            self._lay_over(story)
        elif deed.kind in CHANGES:
            self._change(story, deed)
        else:
            self._meddle(story, deed)

    def _lay_over(self, story: Story) -> None:
        """Let exactly the active faults lie over the tree; others end, and hangs go on without a gap."""
        tree = story.world.tree
        tree.heal()
        for span in self._active:
            deed = span.deed
            match deed.kind:
                case "dead":
                    tree.fail(deed.path)
                case "eio":
                    tree.fail(deed.path, errno.EIO)
                case "lose":
                    tree.lose_files(deed.path)
                case "hang":
                    tree.hang()
                case "empty":
                    tree.empty(deed.path)
                case "cover":
                    tree.cover(deed.path)
                case "hide":
                    tree.hide(deed.path, deed.amount)
                case _:
                    tree.slow(deed.amount)

    def faults_of_storage(self) -> list[Deed]:
        """Return the faults that lie over the storage itself now."""
        return [span.deed for span in self._active if span.deed.deep]

    def faults_of_mount(self) -> list[Deed]:
        """Return the faults that only the mount has now."""
        return [span.deed for span in self._active if not span.deed.deep]

    def _change(self, story: Story, deed: Deed) -> None:
        """Do what a user does to files: *amount* of them, or the folder of one."""
        tree, rng = story.world.tree, random.Random(f"{self.chaos.seed} {deed}")
        files = tree.files(deed.path)
        if not files:
            return
        some = rng.sample(files, min(int(deed.amount), len(files)))
        folder = some[0].rpartition("/")[0]
        within = [file for file in files if file.startswith(f"{folder}/")]
        match deed.kind:
            case "add":
                for number in range(int(deed.amount)):
                    name = f"Added {rng.randrange(10**6)} {number} (1999)"
                    tree.add(f"{deed.path}/{name}/{name}{Path(files[0]).suffix}")
                return
            case "delete_folder":
                gone = within
                tree.remove_folder(folder)
            case "rename_folder":
                gone = within
                tree.remove_folder(folder)
                for file in within:
                    tree.add(f"{folder} renamed{file[len(folder) :]}")
            case _:
                gone = some
                for file in some:
                    tree.remove(file)
                    if deed.kind == "rename_file":
                        path = Path(file)
                        tree.add(str(path.with_name(f"{path.stem} renamed{path.suffix}")))
        self.record.removed |= dict.fromkeys(gone, anyio.current_time())

    def _meddle(self, story: Story, deed: Deed) -> None:
        server = story.world.server
        if deed.kind == "crash":
            if server.listening and not server.over:
                server.crash()
            return
        if server.life is None or not server.life.ready:
            return
        number = story.world.sections[Path(deed.path).name]
        match deed.kind:
            case "empty_trash":
                server.life.core.library.empty_trash(number)
            case "auto_empty":
                server.life.core.preferences.change({"autoEmptyTrash": "1"})
            case _:
                self.record.foreign_scans.add(round(anyio.current_time(), 6))
                server.life.scans.ask(number)


class _RecordingProbe(MemoryProbe):
    """Writes down when it has proved the storage."""

    def __init__(self, story: Story, record: Record) -> None:
        super().__init__(story.world)
        self._record = record

    async def look(self, deadline: float) -> Proof | Failure:
        seen = await super().look(deadline)
        self._record.looks.append((anyio.current_time(), isinstance(seen, Proof)))
        return seen


class _Control:
    """The storage itself, as rclone's remote control tells it."""

    def __init__(self, story: Story, world: World) -> None:
        self._story = story
        self._world = world

    async def stat(self, path: str, deadline: float) -> RemoteEntry | None:
        """See `Control.stat`."""
        await self._answer(deadline)
        full = f"{ROOT}/{path}"
        there = full in self._story.world.tree.files(full.rpartition("/")[0]) and not self._hidden(full)
        return RemoteEntry(path=path, size=1_000_000, directory=False) if there else None

    async def list(self, path: str, deadline: float) -> tuple[RemoteEntry, ...]:
        """See `Control.list`."""
        await self._answer(deadline)
        top = f"{ROOT}/{path}".rstrip("/")
        below = [file for file in self._story.world.tree.files(top) if not self._hidden(file)]
        names = {file[len(top) + 1 :].partition("/")[::2] for file in below}
        if not names and path:
            raise BackendRefused("error in ListJSON: directory not found")
        found = {(name, bool(rest)) for name, rest in names}
        return tuple(
            RemoteEntry(path=f"{path}/{name}".lstrip("/"), size=1, directory=folder)
            for name, folder in sorted(found)
        )

    def _hidden(self, file: str) -> bool:
        """Say whether storage itself does not tell of *file* now."""
        return any(hides(deed, file) for deed in self._world.faults_of_storage())

    async def forget(self, folders: Sequence[str], deadline: float) -> None:
        """See `Control.forget`; this mount remembers no listing."""
        await self._require_process()

    async def _require_process(self) -> None:
        await anyio.lowlevel.checkpoint()
        if any(deed.kind == "dead" and deed.path == ROOT for deed in self._world.faults_of_mount()):
            raise ControlAway("rclone's remote control does not answer")

    async def _answer(self, deadline: float) -> None:
        await self._require_process()
        for deed in self._world.faults_of_storage():
            match deed.kind:
                case "dead" | "eio":
                    raise BackendRefused("api error AccessDenied: Access Denied, status code: 403")
                case "lose" | "hang":
                    await anyio.sleep(deadline)
                    raise BackendSilent(f"no answer within {deadline:g} s")
                case "slow":
                    await anyio.sleep(min(deed.amount, deadline))
                case _:
                    continue


def hides(deed: Deed, file: str) -> bool:
    """Say whether a fault makes the name of *file* disappear without an error."""
    if deed.kind not in ("empty", "cover", "hide"):
        return False
    if deed.kind == "hide":
        return is_cut_off(file, deed.path, deed.amount)
    return file.startswith(f"{deed.path.rstrip('/')}/")


def _live(story: Story) -> list[tuple[str, int]]:
    """Return the file and section of every entry that is live in the library."""
    with story.world.rows() as rows:
        found = rows._conn.execute(_LIVE).fetchall()
    return [(str(file), int(section)) for file, section in found]


_LIVE: Final = """
SELECT p.file, m.library_section_id FROM media_parts AS p JOIN media_items AS m ON m.id = p.media_item_id
JOIN metadata_items AS i ON i.id = m.metadata_item_id
WHERE p.deleted_at IS NULL AND m.deleted_at IS NULL AND i.deleted_at IS NULL
"""


def play_chaos(chaos: Chaos, state_dir: Path) -> tuple[Story, Record]:
    """Play the run of *chaos*."""
    world = World(chaos)

    def lookups(story: Story) -> Any:
        control: Any = _Control(story, world)

        def look_up(locations: Any, _: Any) -> RemoteLookup:
            return RemoteLookup(
                lambda: control,
                lambda path: name_below(path, [ROOT]),
                connections=lambda: 4,
                locations=locations,
                deadline=5.0,
            )

        return look_up

    settings: dict[str, Any] = dict(chaos.settings)
    story = play(
        *chaos.shelves,
        meanwhile=world.meanwhile,
        prepare=world.prepare,
        finally_=world.conclude,
        knobs=chaos.knobs,
        seed=chaos.seed,
        owned=chaos.owned,
        undo=chaos.undo,
        lookups=lookups if chaos.remote else None,
        state_dir=state_dir,
        patience=30.0,
        **settings,
    )
    return story, world.record
