"""What `plexsuper tidy` goes through and how it ends: a run without sections, which puts in order what another one has left.

Pure, like the plan it belongs to. Nothing is pulled, injected, scanned or exported. Storage that cannot be proved does not
end it: everything is given back then but the automatic emptying of the trash.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from plexsuper import events as e
from plexsuper.decisions.ending import Ending, failed
from plexsuper.decisions.itinerary import Itinerary
from plexsuper.decisions.orders import Monitor, Unwatch, Watch
from plexsuper.decisions.stages import CLEAN_UP, MONITORS, SERVER_STAGES
from plexsuper.errors import ExitCode
from plexsuper.terms import Outcome, SectionReport, Stage, Verdict

NOTHING: Final = "nothing was left over"
_KEPT: Final = "the copy of the library is kept: {}. Bring the storage back and give `plexsuper tidy` again, or let `plexsuper run` scan"
_WITHHELD: Final = "everything is given back but {}, which stays off, and {}; if the storage is gone for good, switch it on in Plex yourself"
_UNPROVED: Final = (
    "what Plex does not find in its storage it would throw away, and the storage is not proved ({})"
)
_IN_DOUBT: Final = "of what Plex has put into its trash nobody can tell whether it is in storage"
_SCAN: Final = (
    "until `plexsuper run` has scanned these sections once more, which takes back what is in storage, the copy of the library is "
    "kept{}"
)
_SILENCED: Final = "Plex's settings are still silenced: give `plexsuper tidy` again when that is mended"

_WATCHED: Final[Mapping[Stage, Watch | Unwatch]] = {
    **{stage: order for stage, order in MONITORS.items() if stage in CLEAN_UP},
    Stage.SERVER: Watch((Monitor.FROST, Monitor.SERVER)),
}
"""What is watched from a stage on: no section is looked at, and what storage does is asked once, at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying(Itinerary):
    """What was *left*, None before anybody has looked; why storage is not proved (`blind`); which settings are `withheld`."""

    left: e.LeftoversFound | None = None
    blind: Ending | None = None
    withheld: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """See `Itinerary.stages`."""
        return (Stage.PREFLIGHT, *(() if self.left is None else _needed(self.left)))

    @property
    def monitors(self) -> Mapping[Stage, Watch | Unwatch]:
        """See `Itinerary.monitors`."""
        return _WATCHED

    def after(self, fact: e.Event) -> "Tidying":
        """See `Itinerary.after`; what an earlier run has begun counts as begun, so that the clean-up undoes it."""
        way = Itinerary.after(self, fact)  # super() does not find a dataclass with slots
        match fact:
            case e.LeftoversFound():
                way = replace(way, left=fact)
                return way.begin(Stage.SERVER) if fact.anything else way
            case e.StageFinished(stage=Stage.CATALOGUE) if self._known or fact.outcome is Outcome.DONE:
                return way.begin(Stage.QUIET)
            case e.StageFinished(stage=Stage.STORAGE, outcome=Outcome.FAILED):
                return replace(way, blind=failed(ExitCode(fact.exit_code), fact.detail))
            case e.PrefsRestored():
                return replace(way, withheld=fact.withheld)
            case _:
                return way

    def fails(self, fact: e.StageFinished) -> bool:
        """See `Itinerary.fails`; without storage the rest can be given back."""
        return fact.outcome is Outcome.FAILED and fact.stage is not Stage.STORAGE

    @property
    def _known(self) -> bool:
        return self.left is not None and bool(self.left.settings)

    def end(self, reports: Iterable[SectionReport]) -> Ending:  # noqa: ARG002 - there are no sections
        """See `Itinerary.end`."""
        return Ending(verdict=Verdict.TIDIED, exit_code=ExitCode.DONE)

    def again(self, fact: e.StageFinished, *, in_doubt: bool) -> frozenset[Stage]:
        """See `Itinerary.again`.

        What the copy has brought back is not in doubt any more, so Plex is started again to be given what was withheld.
        """
        revived = fact.stage is Stage.REVIVE and fact.outcome is Outcome.DONE
        if not revived or in_doubt or not self.withheld or self.blind is not None:
            return frozenset()
        return (SERVER_STAGES - {Stage.QUIET}) | {Stage.RESTORE, Stage.STOP}

    def judged(self, ending: Ending, *, in_doubt: bool) -> Ending:
        """See `Itinerary.judged`."""
        if ending.verdict is Verdict.LOSS:
            off = f", and {', '.join(self.withheld)} stays off" if self.withheld else ""
            return ending.adding(_SCAN.format(off))
        if not ending.good:
            silenced = self._known and Stage.RESTORE not in self.done
            return ending.adding(_SILENCED) if silenced else ending
        if ending.verdict is not Verdict.TIDIED or self.left is None:
            return ending
        if self.withheld or in_doubt:
            blind = self.blind or failed(ExitCode.STORAGE, "")
            why = _UNPROVED.format(blind.detail) if blind.detail else _IN_DOUBT
            short = replace(ending, verdict=blind.verdict, exit_code=blind.exit_code)
            kept = _KEPT.format(why)
            return short.adding(_WITHHELD.format(", ".join(self.withheld), kept) if self.withheld else kept)
        if self.left.mount and self.blind is not None:
            return self.blind
        return ending if self.left.anything else ending.adding(NOTHING)


def tidy_steps(left: e.LeftoversFound, *, command: bool) -> tuple[str, ...]:
    """Return what `plexsuper tidy` would do about *left*, each as what comes after "it would"; *command*: it may start Plex."""
    return tuple(_steps(left, command=command))


def _needed(left: e.LeftoversFound) -> Iterator[Stage]:
    if left.frozen or left.settings or left.mount or left.copies:
        yield Stage.STORAGE
    if left.settings:
        yield from (Stage.SERVER, Stage.TOKEN)
    if left.settings or left.copies:
        yield Stage.CATALOGUE


def _steps(left: e.LeftoversFound, *, command: bool) -> Iterator[str]:
    if left.frozen:
        yield "let Plex go on, which stands still, when storage is proved; its scanners end before"
    if left.settings:
        if command and not left.server:
            yield "start Plex if it does not run"
        yield "ask storage for every entry that Plex has lost since it was silenced"
        yield "put every setting of Plex back as it was, the emptying of the trash only if nothing is in doubt"
    if left.server or (left.settings and command):
        yield "stop Plex if it was started for a run"
    if left.mount:
        yield "take the mount away"
    if left.copies:
        yield f"remove, if nothing is in doubt: {', '.join(left.copies)}"
