"""Silence Plex's background work for the run, prove that it took, and put everything back afterwards.

The ids and values are those of real 1.43 servers. Jobs whose behaviour is `scheduled` run in the butler's
window whatever the butler's own switches say, so the behaviours are set to `never` as well.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from plexsuper.actions import sonic
from plexsuper.actions.persist import persist
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Preference
from plexsuper.clients.server.ledger import Ledger
from plexsuper.errors import ServerAway, ServerError, ServerRefused
from plexsuper.events import PrefsQuieted, PrefsRestored
from plexsuper.terms import PrefChange

_SWITCHES: Final = (
    "autoEmptyTrash",
    "FSEventLibraryUpdatesEnabled",
    "FSEventLibraryPartialScanEnabled",
    "watchMusicSections",
    "ScheduledLibraryUpdatesEnabled",
    "ButlerTaskBackupDatabase",
    "ButlerTaskOptimizeDatabase",
    "ButlerTaskCleanOldBundles",
    "ButlerTaskCleanOldCacheFiles",
    "ButlerTaskRefreshLocalMedia",
    "ButlerTaskUpgradeMediaAnalysis",
    "ButlerTaskRefreshPeriodicMetadata",
    "ButlerTaskDeepMediaAnalysis",
    "ButlerTaskRefreshLibraries",
    "ButlerTaskGarbageCollectBlobs",
    "ButlerTaskRefreshEpgGuides",
    "ButlerTaskGenerateMediaIndexFiles",
    "GenerateIndexFilesDuringAnalysis",
)
_BEHAVIOURS: Final = (
    "GenerateBIFBehavior",
    "GenerateChapterThumbBehavior",
    "LoudnessAnalysisBehavior",
    "MusicAnalysisBehavior",
    "GenerateIntroMarkerBehavior",
    "GenerateCreditsMarkerBehavior",
    "GenerateAdMarkerBehavior",
    "GenerateVADBehavior",
)

QUIET: Final[Mapping[str, str]] = MappingProxyType(
    {**dict.fromkeys(_SWITCHES, "0"), **dict.fromkeys(_BEHAVIOURS, "never")}
)
"""What a silent Plex looks like; those that need Plex Pass are absent on a server without one."""

VITAL: Final = "autoEmptyTrash"
"""Without this one off, a wrong removal is for good: no scan is started then (lesson L40)."""


async def silence(plex: Plex, ledger: Ledger) -> PrefsQuieted:
    """Silence Plex and return what was changed.

    What a killed run left in the ledger counts as the user's own settings, not what Plex has now.

    Raises:
        ServerError: a value did not take, or what the butler runs could not be stopped: nothing is scanned then.
    """
    now = await persist(plex.preferences)
    if VITAL not in now:
        raise ServerError(
            f"Plex does not list the setting {VITAL}, so it cannot be proved to be off; nothing is scanned. "
            "Is this a Plex Media Server of 2019 or later, and does the token belong to its owner?"
        )
    original = _original(now, ledger.load())
    changes = tuple(
        PrefChange(id=id_, before=original[id_], after=value)
        for id_, value in QUIET.items()
        if id_ in now and now[id_].value != value
    )
    ledger.save(original)
    await persist(lambda: plex.set_preferences({change.id: change.after for change in changes}))
    await _prove(plex, [id_ for id_ in QUIET if id_ in now])
    return PrefsQuieted(
        changed=changes,
        absent=tuple(id_ for id_ in QUIET if id_ not in now),
        butler_stopped=await _stop_butler(plex),
    )


def _original(now: Mapping[str, Preference], remembered: Mapping[str, str] | None) -> dict[str, str]:
    values = {id_: now[id_].value for id_ in QUIET if id_ in now}
    ours = {
        id_: value for id_, value in (remembered or {}).items() if id_ in now and is_ours(id_, now[id_].value)
    }
    return values | ours


def is_ours(id_: str, value: str) -> bool:
    """Whether *value* is what a run sets; another one was chosen by somebody else since."""
    return value == QUIET.get(id_) or (id_, value) == (sonic.PREFERENCE, sonic.WORKING)


async def _prove(plex: Plex, silenced: Sequence[str]) -> None:
    values = await persist(plex.preferences)
    loud = [id_ for id_ in silenced if id_ not in values or values[id_].value != QUIET[id_]]
    if loud:
        raise ServerError(
            f"Plex did not take these settings: {', '.join(loud)}. Nothing is scanned while they are not silent; "
            "check that the token belongs to the server's owner"
        )


async def _stop_butler(plex: Plex) -> tuple[str, ...]:
    """Stop what the butler runs, and return it. One that runs nothing may answer what it likes: nothing had to be stopped."""
    running = [a for a in await persist(plex.activities) if a.kind == "butler" and not a.permanent]
    try:
        await persist(plex.stop_all_butler)
    except (ServerRefused, ServerAway):
        if running:
            raise
    return tuple(activity.title or activity.kind for activity in running)


async def restore(plex: Plex, ledger: Ledger, *, withhold: bool = False) -> PrefsRestored:
    """Put back what was silenced and read it back; values that are no longer ours are left alone.

    With *withhold* the trash is not emptied automatically again: removals are in doubt, and it would make them final. The
    ledger keeps what the user had, for a run after which nothing is in doubt.
    """
    remembered = ledger.load() or {}
    now = await plex.preferences()
    changes, kept, withheld = [], [], []
    for id_, before in remembered.items():
        if id_ not in now or now[id_].value == before:
            continue
        if withhold and id_ == VITAL and is_ours(id_, now[id_].value):
            withheld.append(id_)
        elif is_ours(id_, now[id_].value):
            changes.append(PrefChange(id=id_, before=now[id_].value, after=before))
        else:
            kept.append(id_)
    await plex.set_preferences({change.id: change.after for change in changes})
    after = await plex.preferences() if changes else now
    failed = tuple(
        change.id for change in changes if change.id not in after or after[change.id].value != change.after
    )
    if VITAL in remembered and VITAL not in now:  # others go with a Plex Pass; this one every server has
        failed = (*failed, VITAL)
    if withheld and not failed:
        ledger.save({id_: remembered[id_] for id_ in withheld})
    elif not failed:
        ledger.clear()
    return PrefsRestored(restored=tuple(changes), kept=tuple(kept), failed=failed, withheld=tuple(withheld))
