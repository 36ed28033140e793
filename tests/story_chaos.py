"""Draws whole runs in which storage, Plex and people do their worst at random moments, and plays them by seed.

Faults strike the tree that a scanner sees, the storage behind it, or both: a mount that dies leaves the files in storage
alone, a bucket that vanishes does not. What is unrealistic beyond `tests.story`: storage never loses a byte by itself,
so that whatever a user did not delete is there at the end.
"""

import errno
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import anyio
import anyio.lowlevel

from plexsuper import events as e
from plexsuper.clients.lookup import RemoteLookup, name_below
from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, ControlAway, RemoteEntry
from plexsuper.decisions.health import Failure, Proof
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import PreferencesFile
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.simulator.tree import is_cut_off
from plexsuper.terms import Phase, Stage
from tests.story import MemoryProbe, Story, life, play
from tests.story_seeds import draw as draw_world

ROOT: Final = "/media"
LONGEST: Final = 6 * 3600.0
"""Virtual seconds within which every run ends."""

Kind: TypeAlias = Literal[
    # faults of storage, which end
    "dead", "eio", "lose", "hang", "empty", "cover", "hide", "slow",
    # what users do to their files
    "delete", "delete_folder", "rename_folder", "rename_file", "add",
    # what happens to Plex
    "empty_trash", "auto_empty", "scan", "crash",
]  # fmt: skip
FAULTS: Final[tuple[Kind, ...]] = ("dead", "eio", "lose", "hang", "empty", "cover", "hide", "slow")
CHANGES: Final[tuple[Kind, ...]] = ("delete", "delete_folder", "rename_folder", "rename_file", "add")
MEDDLING: Final[tuple[Kind, ...]] = ("empty_trash", "auto_empty", "scan", "crash")

ANCHORS: Final[dict[str, Callable[[e.Event], bool]]] = {
    "token": lambda fact: isinstance(fact, e.TokenFound),
    "gated": lambda fact: isinstance(fact, e.GuardGated),
    "recorded": lambda fact: isinstance(fact, e.GuardRecorded),
    "asked": lambda fact: isinstance(fact, e.SectionPhaseStarted) and fact.phase is Phase.SCAN,
    "scanning": lambda fact: isinstance(fact, e.ScannersChanged) and bool(fact.running),
    "analysis": lambda fact: isinstance(fact, e.SectionPhaseStarted) and fact.phase is not Phase.SCAN,
    "frozen": lambda fact: isinstance(fact, e.PlexFrozen),
    "thawed": lambda fact: isinstance(fact, e.PlexThawed),
    "healing": lambda fact: isinstance(fact, e.LibraryHealing),
    "verified": lambda fact: isinstance(fact, e.LibraryVerified),
    "lost": lambda fact: isinstance(fact, e.MountLost),
    "restored": lambda fact: isinstance(fact, e.MountRestored),
    "finished": lambda fact: isinstance(fact, e.SectionPhaseFinished),
    "statistics": lambda fact: isinstance(fact, e.StageStarted) and fact.stage is Stage.STATISTICS,
    "clean-up": lambda fact: isinstance(fact, e.StageStarted) and fact.stage is Stage.RESTORE,
    "stop": lambda fact: isinstance(fact, e.StageStarted) and fact.stage is Stage.STOP,
}
"""Moments of a run at which something may happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that happens `delay` s after the `nth` fact of an anchor.

    A fault lies over `path` for `seconds`, over the storage itself too if it is `deep`; `amount` is a share of names
    (hide), seconds (slow), or how many files a user touches below `path`.
    """

    anchor: str
    nth: int
    delay: float
    kind: Kind
    path: str
    seconds: float = 0.0
    amount: float = 0.0
    deep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """A world, and what happens in it; `remote`: lookups ask the storage itself, not the mount."""

    seed: int
    shelves: tuple[Shelf, ...]
    knobs: Knobs
    deeds: tuple[Deed, ...]
    owned: bool
    undo: bool
    remote: bool
    settings: dict[str, dict[str, Any]]


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


def draw(seed: int) -> Chaos:
    """Return the chaos of *seed*."""
    rng = random.Random(f"chaos {seed}")
    shelves = _shelves(rng)
    owned = rng.random() < 0.5
    deeds = [_fault(rng, shelves) for _ in range(rng.choice((0, 1, 1, 2, 3, 4)))]
    deeds += [_change(rng, shelves) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    deeds += [_meddling(rng, shelves) for _ in range(rng.choice((0, 0, 1, 2)))]
    return Chaos(
        seed=seed,
        shelves=shelves,
        knobs=_knobs(rng, seed, owned=owned),
        deeds=tuple(deeds),
        owned=owned,
        undo=rng.random() < 0.7,
        remote=rng.random() < 0.5,
        settings=_settings(rng, owned=owned),
    )


def _shelves(rng: random.Random) -> tuple[Shelf, ...]:
    kinds = rng.choices(tuple(SectionType), weights=(5, 4, 1, 1), k=rng.choice((1, 1, 2, 3)))
    return tuple(
        Shelf(f"{kind.value.title()}{n}", kind, known=rng.choice((5, 12, 30, 45)), new=rng.choice((0, 0, 3)))
        for n, kind in enumerate(kinds)
    )


def _knobs(rng: random.Random, seed: int, *, owned: bool) -> Knobs:
    """Return the knobs of a random world, with both ends of all that the guard depends on."""
    ends = {
        name: rng.choice(("keep", "remove"))
        for name in ("root_missing", "root_failing", "root_empty", "folder_missing", "folder_failing")
    }
    return draw_world(seed).knobs.but(
        **ends,
        file_returns=rng.choice(("restored", "restored", "stays")),
        removal_seconds=rng.choice((0.001, 0.008, rng.uniform(0.01, 0.5))),
        available_flips=rng.random() < 0.5,
        first_scan=rng.random() < 0.5,
        trash_seconds=rng.choice((0.1, 1.0, 5.0)),
        butler_every=rng.choice((0.0, 60.0)),
        metadata_seconds=0.1,
        analysis_seconds=0.05,
        crash_down=-1.0 if owned else rng.uniform(1, 60),
        stop_seconds=rng.choice((0.0, rng.uniform(0, 5))),
    )


def _settings(rng: random.Random, *, owned: bool) -> dict[str, dict[str, Any]]:
    plex: dict[str, Any] = {"command": ("plex",)} if owned else {}
    return {
        "plex": plex,
        "media": {
            "every": rng.choice((0.5, 2.0, 15.0, 600.0)),
            "deadline": rng.choice((2.0, 10.0)),
            "patience": rng.choice((20.0, 120.0, 600.0)),
        },
        "guard": {
            "budget": rng.choice((0, 3, 20, 1000)),
            "sample": rng.choice((4, 16, 64)),
            "frozen_at_most": rng.choice((30.0, 300.0, 1800.0)),
            "empty_trash": rng.random() < 0.4,
        },
        "run": {"quick": rng.random() < 0.7},
    }


def _moment(rng: random.Random) -> dict[str, Any]:
    delay = rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0, 8), rng.uniform(0, 60)))
    return {"anchor": rng.choice(tuple(ANCHORS)), "nth": rng.choice((1, 1, 1, 2, 3)), "delay": delay}


def _fault(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    kind = rng.choice(FAULTS)
    shelf = rng.choice(shelves)
    folder = rng.choice(shelf.files()).rpartition("/")[0]
    path = rng.choices((ROOT, shelf.folder, folder), weights=(5, 4, 2))[0]
    seconds = rng.choice(
        (rng.uniform(0.05, 1), rng.uniform(1, 10), rng.uniform(10, 60), rng.uniform(60, 400), math.inf)
    )
    amount = rng.choice((0.02, 0.3, 0.9)) if kind == "hide" else rng.choice((0.05, 0.5, 5.0))
    if kind in ("hang", "slow"):
        path, seconds = ROOT, min(seconds, 900.0)
    return Deed(
        **_moment(rng), kind=kind, path=path, seconds=seconds, amount=amount, deep=rng.random() < 0.5
    )


def _change(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    shelf = rng.choice(shelves)
    amount = rng.choice((1, 1, 2, 5, rng.randint(1, 45)))
    return Deed(**_moment(rng), kind=rng.choice(CHANGES), path=shelf.folder, amount=amount)


def _meddling(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    return Deed(**_moment(rng), kind=rng.choice(MEDDLING), path=rng.choice(shelves).folder)


# --- how it is played ------------------------------------------------------------------------------------


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

    async def _answer(self, deadline: float) -> None:
        await anyio.lowlevel.checkpoint()
        for deed in self._world.faults_of_mount():
            if deed.kind == "dead" and deed.path == ROOT:
                raise ControlAway("rclone's remote control does not answer")
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
        **chaos.settings,
    )
    return story, world.record
