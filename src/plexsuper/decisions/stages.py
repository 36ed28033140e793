"""The stages of a run in their order, what each needs, and the facts that can change a plan.

Pure tables; the plan and its parts go by them.
"""

from collections.abc import Mapping

from plexsuper import events as e
from plexsuper.decisions.orders import Monitor, Unwatch, Watch
from plexsuper.terms import Stage

FORWARD = (
    Stage.PREFLIGHT,
    Stage.INPUTS,
    Stage.DATABASE,
    Stage.STORAGE,
    Stage.SERVER,
    Stage.TOKEN,
    Stage.QUIET,
    Stage.CATALOGUE,
    Stage.SECTIONS,
    Stage.STATISTICS,
)
BEFORE_CHANGES = (Stage.PREFLIGHT, Stage.INPUTS, Stage.DATABASE)
CLEAN_UP = {
    Stage.RESTORE: Stage.QUIET,
    Stage.STOP: Stage.SERVER,
    Stage.REVIVE: Stage.CATALOGUE,  # a run that goes on may have had all its sections scanned before
    Stage.EXPORT: Stage.STATISTICS,
}
"""Clean-up stages, each with the stage without which there is nothing to do for it."""
SERVER_STAGES = frozenset({Stage.SERVER, Stage.TOKEN, Stage.QUIET})
ASK_PLEX = frozenset({Stage.TOKEN, Stage.QUIET, Stage.CATALOGUE})
"""Stages that can do nothing while Plex is away, and would wait for it instead of starting it again."""

MONITORS: Mapping[Stage, Watch | Unwatch] = {
    Stage.SERVER: Watch((Monitor.MOUNT, Monitor.FROST, Monitor.SERVER)),
    Stage.CATALOGUE: Watch((Monitor.NOTIFICATIONS, Monitor.SCANNERS, Monitor.PROGRESS)),
    Stage.RESTORE: Unwatch((Monitor.MOUNT, Monitor.SCANNERS, Monitor.PROGRESS)),
    Stage.STOP: Unwatch((Monitor.FROST, Monitor.SERVER, Monitor.NOTIFICATIONS)),
}
"""Monitors live exactly as long as the stages that need them (lesson L45)."""

CALM: frozenset[e.MountFault] = frozenset({"hung", "slow", "network_reset", "cache_full"})
"""Suspicions that need no freezing: reads are late, or fail one by one; nothing looks as if it were gone."""


DECISIVE: tuple[type[e.Event], ...] = (
    e.LeftoversFound,
    e.StageFinished,
    e.SectionPhaseFinished,
    e.SectionReopened,
    e.SectionsChosen,
    e.TokenFound,
    e.MountSuspected,
    e.MountLost,
    e.MountRestored,
    e.MountAbandoned,
    e.FreezeSpent,
    e.PlexFoundFrozen,
    e.GuardConfirmed,
    e.LibraryVerified,
    e.StatsCollected,
    e.PrefsRestored,
    e.PlexLost,
    e.RunInterrupted,
)
"""The facts that can change a plan; nobody needs to be woken for any other."""
