"""Silence again, in the middle of a run, what somebody has switched on in Plex since it was silenced.

It need not be a person: other tools set settings, and so does an update of Plex. Each setting of the quiet set either
endangers the library (the trash is emptied), lets Plex scan by itself what nobody watches, or starts work that competes
with a phase and can be taken for it (lesson L22).
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final, Never

import anyio

from plexsuper.actions import sonic
from plexsuper.actions.persist import persist
from plexsuper.actions.quiet import QUIET, VITAL, is_ours
from plexsuper.bus import Bus
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import NotAccepted
from plexsuper.clients.server.ledger import Ledger
from plexsuper.errors import ServerAway, ServerError, ServerRefused
from plexsuper.events import Event, NotificationsConnected, PrefsChanged, PrefsQuietedAgain
from plexsuper.terms import PrefChange

QUIET_BUT_SONIC: Final[Mapping[str, str]] = MappingProxyType({**QUIET, sonic.PREFERENCE: sonic.WORKING})
"""What Plex is kept at while its sonic analysis is asked for."""

_LOOK_AGAIN: Final = 15.0

_OFTEN: Final = 3
"""So often in one phase: with who sets a setting again and again nobody quarrels for days. It is silenced before the next phase."""

_SAID: Final = (
    "Somebody switched {} on during the run, and Plex does not take it off again. Nothing is scanned while it is "
    "on; check that the token belongs to the server's owner"
)


async def silence_again(
    plex: Plex, ledger: Ledger, wanted: Mapping[str, str] = QUIET
) -> PrefsQuietedAgain | None:
    """Set every setting of *wanted* that is neither so nor silent to its value there; None when all are.

    One question when all are. What is put back at the end is what Plex would have without us: the value before the run,
    or the last one that somebody else has chosen since; the ledger remembers that first.

    Raises:
        ServerError: the trash would be emptied by itself, and Plex does not take that off.
    """
    now = await plex.preferences(wanted)
    loud = {id_: p.value for id_, p in now.items() if p.value not in (QUIET[id_], wanted[id_])}
    if not loud:
        return None
    chosen = {id_: value for id_, value in loud.items() if not is_ours(id_, value)}
    if chosen:
        ledger.save({**(ledger.load() or {}), **chosen})
    changes = {id_: wanted[id_] for id_ in loud}
    await persist(lambda: plex.set_preferences(changes))  # once it took, nobody else would tell of it
    now = await persist(lambda: plex.preferences(wanted))
    failed = tuple(id_ for id_ in loud if id_ not in now or now[id_].value != wanted[id_])
    if VITAL in failed:
        raise ServerError(_SAID.format(VITAL))
    return PrefsQuietedAgain(
        changed=tuple(
            PrefChange(id=id_, before=loud[id_], after=after)
            for id_, after in changes.items()
            if id_ not in failed
        ),
        failed=failed,
        butler_stopped=() if wanted.get(sonic.PREFERENCE) == sonic.WORKING else await _stop_butler(plex),
    )


async def _stop_butler(plex: Plex) -> tuple[str, ...]:
    """Stop what the butler has begun meanwhile, and return it; not while it analyses music for us."""
    with suppress(ServerAway, ServerRefused):  # it works beside us then, as what somebody starts by hand does
        running = [a for a in await plex.activities() if a.kind == "butler" and not a.permanent]
        if running:
            await plex.stop_all_butler()
        return tuple(activity.title or activity.kind for activity in running)
    return ()


async def keep_quiet(plex: Plex, ledger: Ledger, bus: Bus[Event], wanted: Mapping[str, str] = QUIET) -> Never:
    """Silence again what somebody changes, as soon as Plex tells that something was changed.

    A notification may be lost, so that the settings are also read again now and then, and whenever the socket was opened
    anew. Plex empties the trash at the end of a scan.
    """
    times: Counter[str] = Counter()
    with bus.subscribe(PrefsChanged, NotificationsConnected) as facts:
        while True:
            # One that stands still or is away changes nothing and empties nothing; one that accepts us no more is lost.
            with suppress(ServerAway, NotAccepted):
                if again := await silence_again(plex, ledger, _not_too_often(wanted, times)):
                    bus.publish(again)
                    times.update([*(change.id for change in again.changed), *again.failed])
            with anyio.move_on_after(_LOOK_AGAIN):
                await anext(facts)
            facts.take()


def _not_too_often(wanted: Mapping[str, str], times: Mapping[str, int]) -> Mapping[str, str]:
    return {id_: value for id_, value in wanted.items() if id_ == VITAL or times.get(id_, 0) < _OFTEN}
