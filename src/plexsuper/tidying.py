"""What `plexsuper tidy` does at each stage: an earlier run's leftovers are taken up and put in order, and nothing else."""

from collections.abc import Collection

from plexsuper import events as e
from plexsuper.actions.container import adopt_container
from plexsuper.actions.remains import find_remains
from plexsuper.actions.scan import stop_scan
from plexsuper.decisions.tidying import tidy_steps
from plexsuper.deeds import RunDeeds
from plexsuper.errors import PlexsuperError, ServerError
from plexsuper.terms import Outcome, Section, Stage

_UNKNOWN = "Plex did not say who it is, so its settings are still silenced; give `plexsuper tidy` again"


class TidyDeeds(RunDeeds):
    """The deeds of a run that looks at no section; what is not here is done as in every run."""

    _left = e.LeftoversFound()

    async def stage(self, stage: Stage) -> Outcome:
        """Carry out *stage*, and keep Plex from removing anything as long as storage is not proved."""
        if not self._unproved:
            return await super().stage(stage)
        async with self._harmless():
            return await super().stage(stage)

    async def _preflight(self) -> Outcome:
        kit, dry = self._kit, self._kit.settings.run.dry_run
        if kit.container is not None:
            await (kit.container.look() if dry else adopt_container(kit.container, kit.bus.publish))
        if not dry:
            self._freezer.take_over()
        self._left = await find_remains(
            kit.runtime,
            state_dir=kit.settings.state_dir,
            container=None if kit.container is None else kit.container.name,
            mount=kit.mount,
            copies=self._librarian.left,
        )
        kit.bus.publish(self._left)
        if dry:
            steps = tidy_steps(self._left, command=kit.settings.plex.can_start)
            kit.bus.publish(e.RunPlanned(steps=steps))
        return Outcome.DONE

    async def _prove_storage(self) -> Outcome:
        """Prove the storage where somebody needs it; what an earlier run has mounted is taken away at the end in any case."""
        left, mount = self._left, self._kit.mount
        try:
            if left.frozen or left.settings or left.copies or mount is None:
                return await super()._prove_storage()
            await self._kit.resources.enter_async_context(mount)
        except PlexsuperError:
            self._unproved = True
            raise
        return Outcome.SKIPPED

    async def _choose_sections(self) -> Outcome:
        """Choose none: end the scan that was cut off, and take up what it may have done."""
        kit, guard = self._kit, self._kit.guard
        sections: tuple[Section, ...] = ()
        if guard is not None:
            guard.silent_since = 0  # until it is taken up, nothing is proved, and no copy is let go
        if kit.library is not None and await kit.library.exists():
            sections, _ = await kit.library.survey()
        if self._left.settings:
            await self._silence.recognise()
            await self._end_scan({section.id for section in sections})
        if guard is None:
            return Outcome.SKIPPED
        guard.silent_since = guard.silent_since if self._left.settings else None
        await guard.take_up(sections, resumed=kit.past is not None)
        if self._unproved and self._left.settings:
            guard.silent_since = 0  # a scan of Plex's own would find nothing, and throw away what is there
        return Outcome.DONE

    async def _end_scan(self, there: Collection[int]) -> None:
        past = self._kit.past
        if past is not None and past.interrupted is not None and past.interrupted.id in there:
            await stop_scan(self._kit.plex, past.interrupted.id)

    async def _restore(self) -> Outcome:
        if not self._left.settings:
            await self._librarian.account()
            return Outcome.SKIPPED
        if not self._silence.machine:
            raise ServerError(_UNKNOWN)
        return await super()._restore()

    async def _stop(self) -> Outcome:
        outcome = await super()._stop()
        await self._librarian.clear_up()
        return outcome
