"""Draws whole runs in which storage, Plex and people do their worst at random moments, and plays them by seed.

Faults strike the tree that a scanner sees, the storage behind it, or both: a mount that dies leaves the files in storage
alone, a bucket that vanishes does not. What is unrealistic beyond `tests.story`: storage never loses a byte by itself,
so that whatever a user did not delete is there at the end.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from plexsuper import events as e
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Phase, Stage
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
_OFTEN: Final = (2, 2, 5, 1, 4, 2, 3, 1)
"""How often each fault is drawn: those that give no error are the ones that cost libraries."""
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
"""Moments of a run at which something may happen; the first ones come before a scan can have done its worst."""
_EARLY: Final = ("gated", "recorded", "asked", "scanning")


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


def draw(seed: int) -> Chaos:
    """Return the chaos of *seed*."""
    rng = random.Random(f"chaos {seed}")
    shelves = _shelves(rng)
    owned = rng.random() < 0.5
    deeds = [_fault(rng, shelves) for _ in range(rng.choice((0, 1, 1, 2, 3, 4)))]
    deeds += [_change(rng, shelves) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    deeds += [_meddling(rng, shelves) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
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
        scan_seconds=rng.choice((0.3, rng.uniform(1, 8))),
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


_SOON: Final = 0.4


def _moment(rng: random.Random) -> dict[str, Any]:
    delay = rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0, 8), rng.uniform(0, 60)))
    anchor = rng.choice(_EARLY) if rng.random() < _SOON else rng.choice(tuple(ANCHORS))
    return {"anchor": anchor, "nth": rng.choice((1, 1, 1, 2, 3)), "delay": delay}


def _fault(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    kind = rng.choices(FAULTS, weights=_OFTEN)[0]
    shelf = rng.choice(shelves)
    folder = rng.choice(shelf.files()).rpartition("/")[0]
    path = rng.choices((ROOT, shelf.folder, folder), weights=(5, 4, 2))[0]
    seconds = rng.choice(
        (rng.uniform(0.05, 1), rng.uniform(1, 10), rng.uniform(10, 60), rng.uniform(60, 400), math.inf)
    )
    amount = rng.choice((0.02, 0.3, 0.9)) if kind == "hide" else rng.choice((0.05, 0.5, 5.0))
    if kind in ("hang", "slow"):
        path, seconds = ROOT, min(seconds, 900.0)
    return Deed(**_moment(rng), kind=kind, path=path, seconds=seconds, amount=amount, deep=rng.random() < 0.5)


def _change(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    shelf = rng.choice(shelves)
    amount = rng.choice((1, 1, 2, 5, rng.randint(1, 45)))
    return Deed(**_moment(rng), kind=rng.choice(CHANGES), path=shelf.folder, amount=amount)


def _meddling(rng: random.Random, shelves: tuple[Shelf, ...]) -> Deed:
    return Deed(**_moment(rng), kind=rng.choice(MEDDLING), path=rng.choice(shelves).folder)
