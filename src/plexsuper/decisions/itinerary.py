"""The way of a run: through which stages it goes, how far it has come, and how its end is judged.

Pure, like the plan it belongs to. This is the way of a run that indexes; that of `plexsuper tidy` is in `tidying.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from plexsuper import events as e
from plexsuper.decisions.ending import Ending, through
from plexsuper.decisions.orders import Unwatch, Watch
from plexsuper.decisions.stages import BEFORE_CHANGES, CLEAN_UP, FORWARD, MONITORS
from plexsuper.terms import Outcome, SectionReport, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Itinerary:
    """The stages that were `begun`, which the clean-up undoes, and those that are `done`: either may be repeated."""

    begun: frozenset[Stage] = frozenset()
    done: frozenset[Stage] = frozenset()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages before the clean-up, in order, as far as they are known."""
        return FORWARD

    @property
    def monitors(self) -> Mapping[Stage, Watch | Unwatch]:
        """What is watched from a stage on, or no more."""
        return MONITORS

    def after(self, fact: e.Event) -> Self:
        """Return it after *fact*."""
        match fact:
            case e.StageFinished() if self._is_through(fact):
                return self.finish(fact.stage)
            case e.PlexFoundFrozen():
                return self.begin(Stage.SERVER)  # it is not left standing still
            case _:
                return self

    def _is_through(self, fact: e.StageFinished) -> bool:
        if fact.stage in CLEAN_UP:
            return True
        return fact.outcome is not Outcome.CANCELLED and not self.fails(fact)

    def fails(self, fact: e.StageFinished) -> bool:
        """Tell whether the run fails with a stage that has ended so."""
        bearable = fact.stage is Stage.CHECKPOINT  # it is told, and the next one may succeed
        return fact.outcome is Outcome.FAILED and not bearable

    def begin(self, stage: Stage) -> Self:
        """Return it with *stage* begun."""
        return replace(self, begun=self.begun | {stage})

    def finish(self, stage: Stage) -> Self:
        """Return it with *stage* done."""
        return replace(self, done=self.done | {stage})

    def repeat(self, stages: Iterable[Stage]) -> Self:
        """Return it with *stages* to be done once more."""
        return replace(self, done=self.done.difference(stages))

    @property
    def next(self) -> Stage | None:
        """The stage that comes next before the clean-up, None when there is none."""
        return next((stage for stage in self.stages if stage not in self.done), None)

    @property
    def at_first_change(self) -> bool:
        """Whether all is done that comes before the first change."""
        return self.done.issuperset(stage for stage in self.stages if stage in BEFORE_CHANGES)

    @property
    def without_plex(self) -> bool:
        """Whether Plex has to be brought up before it is asked anything."""
        return Stage.SERVER in self.stages and Stage.SERVER not in self.done

    @property
    def clean_up(self) -> Iterator[Stage]:
        """The clean-up stages that have something to undo, in order."""
        return (
            stage for stage, undoes in CLEAN_UP.items() if undoes in self.begun and stage not in self.done
        )

    def end(self, reports: Iterable[SectionReport]) -> Ending:
        """Return the ending of a run that is through with all stages, and with its sections as *reports* say."""
        return through(reports)

    def again(self, fact: e.StageFinished, *, in_doubt: bool) -> frozenset[Stage]:  # noqa: ARG002 - others ask
        """Return the stages that a clean-up stage which ended so makes worth a second lap; *in_doubt*: removals are."""
        return frozenset()

    def judged(self, ending: Ending, *, in_doubt: bool) -> Ending:  # noqa: ARG002 - others ask
        """Return *ending* with what could not be put in order; *in_doubt*: removals are."""
        return ending
