"""The rows around the media: watch history, background jobs, play queues, places of photos, known words."""

import random
from collections.abc import Sequence

from plexsuper.kinds import MetadataType
from plexsuper.simulator.library.catalogue import Add
from plexsuper.simulator.library.rows import Tag, Tagging
from plexsuper.simulator.library.rows_around import (
    Activity,
    ItemSettings,
    ItemView,
    Location,
    PlayQueue,
    PlayQueueItem,
    Word,
)
from plexsuper.simulator.library.titles import Titles
from plexsuper.simulator.reference.content import EPOCH, Leaf

_ACCOUNT = 1
_DAY = 86_400
_GUID_TAG = 314
_ACTOR_TAG = 6
_QUEUE_LENGTH = 25
_JOBS = (
    "butler",
    "library.update.item.metadata",
    "media.generate.bif",
    "media.generate.intros",
    "media.generate.credits",
)


def add_history(add: Add, leaves: Sequence[Leaf], rng: random.Random) -> None:
    """Add what an account did with *leaves* and what the server did besides."""
    for change, leaf in enumerate(leaves, start=1):
        at = EPOCH - rng.randrange(1000 * _DAY)
        if leaf.kind is MetadataType.PHOTO:
            # the R-tree holds 32 bit floats and rounds outwards
            latitude, longitude = rng.uniform(-80, 80), rng.uniform(-170, 170)
            add(Location(None, latitude, latitude, longitude, longitude))
            continue
        add(ItemSettings(None, _ACCOUNT, leaf.guid, rng.randint(1, 5), at, at, at, change))
        add(ItemView(None, _ACCOUNT, leaf.guid, leaf.kind, leaf.section_id, leaf.title, at))
        tag = add(Tag(None, f"mbid://{rng.getrandbits(64):016x}", _GUID_TAG, at, at))
        add(Tagging(None, leaf.item_id, tag, at))
    add_people(add, leaves, rng)
    add_queue(add, leaves)
    add_jobs(add, leaves, rng)
    for number, word in enumerate(Titles.vocabulary()):
        add(Word(None, number % 3 + 1, 0, word, None, word[:4].upper()))


def add_people(add: Add, leaves: Sequence[Leaf], rng: random.Random) -> None:
    """Add actors to the films and episodes among *leaves*."""
    titles = Titles(rng)
    for leaf in leaves:
        if leaf.kind in {MetadataType.MOVIE, MetadataType.EPISODE}:
            for index in range(5):
                tag = add(
                    Tag(None, titles.unique(), _ACTOR_TAG, EPOCH, EPOCH, key=f"{rng.getrandbits(96):024x}")
                )
                add(Tagging(None, leaf.item_id, tag, EPOCH, index_=index, text=titles.title()))


def add_queue(add: Add, leaves: Sequence[Leaf]) -> None:
    """Add the play queue of one client."""
    played = leaves[:_QUEUE_LENGTH]
    queue = add(PlayQueue(None, "a1b2c3d4e5f6", _ACCOUNT, MetadataType.TRACK, 1, len(played), EPOCH, EPOCH))
    for position, leaf in enumerate(played):
        add(PlayQueueItem(None, queue, leaf.item_id, 1000.0 * (position + 1)))


def add_jobs(add: Add, leaves: Sequence[Leaf], rng: random.Random) -> None:
    """Add a finished background job for each of *leaves*."""
    for leaf in leaves:
        start = EPOCH - rng.randrange(30 * _DAY)
        add(
            Activity(
                None,
                rng.choice(_JOBS),
                "Updating Metadata",
                leaf.title,
                start - 5,
                start,
                start + rng.randint(1, 90),
            )
        )
