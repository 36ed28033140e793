"""What a run stands on, and its reflexes: is storage there, and does Plex stand still for it?

Pure, like the plan it belongs to. What is said here is done before anything is thought about.
"""

from dataclasses import dataclass, replace

from plexsuper import events as e
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import Freeze, Order, Recover, Thaw
from plexsuper.decisions.stages import ASK_PLEX, CALM
from plexsuper.terms import Outcome, Phase, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """Whether the *storage* serves, as far as is known, and whether Plex was *frozen* because it may not."""

    storage: bool = True
    frozen: bool = False

    def after(
        self, fact: e.Event, *, agenda: Agenda, deed: Stage | Phase | None, ending: bool
    ) -> tuple["Footing", tuple[Order, ...]]:
        """Return the footing after *fact* and the orders that cannot wait; *deed* is in hand, *ending*: only clean-up is left.

        A Plex that a run which died has left frozen goes on when storage is proved; what it was frozen for was true then.
        Where storage cannot be proved the run ends, and Plex has to answer once more: it goes on without its scanners.
        """
        match fact:
            case e.MountSuspected():
                alarming = fact.reason not in CALM and isinstance(deed, Phase) and not ending
                return self._freeze(fact.detail, agenda, end_scan=False) if alarming else (self, ())
            case e.MountLost():
                return self._lost(fact, agenda, deed, ending=ending)
            case e.MountRestored():
                orders = (Thaw(needless=self.storage),) if self.frozen else ()
                return Footing(), orders
            case e.PlexFoundFrozen():
                return replace(self, frozen=True), ()
            case e.StageFinished(stage=Stage.STORAGE, outcome=Outcome.DONE | Outcome.FAILED) if self.frozen:
                return replace(self, frozen=False), (Thaw(proved=fact.outcome is Outcome.DONE),)
            case _:
                return self, ()

    def _lost(
        self, fact: e.MountLost, agenda: Agenda, deed: Stage | Phase | None, *, ending: bool
    ) -> tuple["Footing", tuple[Order, ...]]:
        lost = replace(self, storage=False)
        if ending:
            return lost, ()
        recover = (Recover(fact.reason),) if agenda.own_mount else ()
        at_work = isinstance(deed, Phase) or deed in ASK_PLEX
        freeze = at_work and (self.storage or not self.frozen)
        after, orders = lost._freeze(fact.detail, agenda, end_scan=True) if freeze else (lost, ())
        return after, (*orders, *recover)

    def _freeze(self, reason: str, agenda: Agenda, *, end_scan: bool) -> tuple["Footing", tuple[Order, ...]]:
        if not agenda.guard:
            return self, ()
        return replace(self, frozen=True), (Freeze(reason, end_scan),)
