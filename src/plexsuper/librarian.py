"""Cares for the library of a run: put in place, checked, copied, accounted for, brought back, written out."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import anyio
import anyio.to_thread

from plexsuper import events as e
from plexsuper.actions.database import check_database, collect
from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.library import clear_drafts, export, inject, judge, repair
from plexsuper.actions.server import is_up
from plexsuper.actions.undo import revive, snapshot
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.mark import LibraryMarks
from plexsuper.database.archive.draft import abandoned_drafts
from plexsuper.database.copies.of_run import copy_of, let_go, traces_of
from plexsuper.database.copies.store import staged, sweep
from plexsuper.database.copies.swap import is_unfinished
from plexsuper.database.revive.report import LostPart
from plexsuper.decisions.planned import planned_steps
from plexsuper.decisions.reopened import last_mark, reopened
from plexsuper.errors import DatabaseError, StateError
from plexsuper.journal import runs
from plexsuper.kit import Kit, outset
from plexsuper.terms import Outcome, Removal, Verdict

_RUNS: Final = (
    "library.archive {} can be put in place only while Plex does not run, and only where plex.config_dir is known; "
    "stop Plex first"
)
_DAMAGED: Final = "the library database is damaged: {}. Set library.repair, or run `plexsuper db repair`"
_MUTE: Final = (
    "nobody can tell what these sections have lost: {}. The trash of Plex is not emptied automatically; look at the database "
    "(plexsuper db check), then start again"
)
_NOT_OURS: Final = (
    "{} entries of the library are in doubt and could be taken from {}, but Plex still runs and was not started by "
    "plexsuper: stop it, then run `plexsuper db revive` with the list {}"
)

_STILL_NEEDED: Final = (Verdict.LOSS, Verdict.DATABASE)
"""Whoever ended so may need his copy: what is lost may be nowhere else."""


class Librarian:
    """Cares for one library; whatever changes its files is done only while Plex does not run."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        past = kit.past
        self._snapshot = Path(past.snapshot) if past is not None and past.snapshot else None
        self._accounted = False

    async def prepare(self) -> Outcome:
        """Inject, check, repair and copy the library before Plex may touch it; a dry run only reads it."""
        kit, sections = self._kit, None
        if not kit.settings.run.dry_run:
            await clear_drafts(*self._archives)
            await self._mend()
            await self._copy()
        if kit.library is not None:
            checked, statistics = await check_database(kit.library)
            kit.bus.publish(checked)
            if statistics is not None:
                kit.bus.publish(statistics)
            sections = checked.sections
            await self._reopen(kit.library, fresh=checked.fresh)
        if kit.settings.run.dry_run:
            kit.bus.publish(e.RunPlanned(steps=planned_steps(outset(kit, sections))))
        return Outcome.SKIPPED if kit.library is None else Outcome.DONE

    async def export(self, when: Literal["checkpoint", "final"]) -> Outcome:
        """Write the library to its archive, or what is done of it so far to the checkpoint beside it."""
        wanted, paths = self._kit.settings.library, self._kit.settings.plex.paths
        archive = wanted.export if when == "final" else wanted.checkpoint
        if archive is None or paths is None:
            return Outcome.SKIPPED
        self._kit.bus.publish(await export(self._kit.tools, paths.databases, archive, when=when))
        return Outcome.DONE

    @property
    def _archives(self) -> tuple[Path, ...]:
        wanted = self._kit.settings.library
        return tuple(archive for archive in (wanted.export, wanted.checkpoint) if archive is not None)

    async def account(self) -> None:
        """Tell what became of every removal; never raises."""
        if self._kit.guard is not None:
            await self._kit.guard.account(patience=self._kit.settings.timing.goodbye)
            self._accounted = True

    async def close(self) -> None:
        """Account for what a server has written until it stopped; let the copy go when nothing is in doubt; never raises."""
        guard = self._kit.guard
        if guard is None or not self._accounted:
            return
        if self._kit.runtime.pid is None:
            await guard.account_again(patience=self._kit.settings.timing.goodbye)
        if guard.trusted and self._kit.run_dir is not None:
            await anyio.to_thread.run_sync(self._let_go_all)
            self._snapshot = None

    def _let_go_all(self) -> None:
        for copy in self._copies():
            let_go(copy)

    def _copies(self) -> Iterator[Path]:
        """Give the copy, and those of earlier runs: what they have done is proved by this one, unless it was a loss."""
        if self._snapshot is not None:
            yield self._snapshot
        paths, place = self._kit.settings.plex.paths, self._kit.run_dir
        if paths is None:
            return
        if place is not None:
            yield copy_of(place.name, paths.databases)
        with suppress(StateError):  # of whom nobody knows anything, the copy stays
            for record in runs(self._kit.settings.state_dir):
                if record.state in ("unfinished", "ended") and record.verdict not in _STILL_NEEDED:
                    yield copy_of(record.id, paths.databases)

    def left(self) -> tuple[Path, ...]:
        """Return what there is of copies that go when nothing is in doubt, of drafts, and of what killed deeds have staged.

        It asks the disk: call it in a worker thread.
        """
        paths, drafts = self._kit.settings.plex.paths, abandoned_drafts(self._archives)
        if paths is None or not self._kit.settings.guard.enabled:
            return drafts
        names = dict.fromkeys(name for copy in self._copies() for name in (copy, *traces_of(copy)))
        return (*(name for name in names if name.exists()), *staged(paths.databases), *drafts)

    async def clear_up(self) -> None:
        """Remove what deeds that were killed have staged, or have written of an archive.

        An exchange of the databases is completed only where Plex does not run.
        """
        await clear_drafts(*self._archives)
        paths = self._kit.settings.plex.paths
        if paths is not None and (self._kit.runtime.pid is None or not is_unfinished(paths.databases)):
            await anyio.to_thread.run_sync(sweep, paths.databases)

    async def revive(self) -> Outcome:
        """Put back what is in doubt, as it was before the first scan; a later scan on healthy storage decides.

        Raises:
            DatabaseError: Plex still runs, or the databases cannot be read or changed; they are as before.
        """
        guard, paths = self._kit.guard, self._kit.settings.plex.paths
        if guard is None or paths is None or self._snapshot is None:
            return Outcome.SKIPPED
        if await is_up(self._kit.runtime, self._kit.plex):
            raise DatabaseError(_NOT_OURS.format(len(guard.in_doubt), self._snapshot, guard.report))
        if doubtful := guard.in_doubt:
            await self._bring_back(guard, paths.databases, self._snapshot, doubtful)
        if guard.unaccounted:
            raise DatabaseError(_MUTE.format(", ".join(section.title for section in guard.unaccounted)))
        return Outcome.DONE

    async def _bring_back(
        self, guard: Guard, databases: Path, snapshot: Path, doubtful: tuple[Removal, ...]
    ) -> None:
        lost = tuple(LostPart(part=removal.part, file=removal.file) for removal in doubtful)
        revived = await revive(self._kit.tools, databases, snapshot, lost)
        self._kit.bus.publish(
            e.LibraryRevived(
                wanted=revived.wanted,
                untrashed=revived.untrashed,
                reinserted=revived.reinserted,
                already=revived.already,
                lost=revived.missing,
            )
        )
        missing = {part.part for part in revived.lost}
        guard.revived(removal.part for removal in doubtful if removal.part not in missing)
        await guard.account(patience=self._kit.settings.timing.goodbye)
        if self._kit.library is not None:  # what was counted before has changed
            self._kit.bus.publish(await collect(self._kit.library, when="after", reliable=True))

    async def _reopen(self, library: LibrarySource, *, fresh: bool) -> None:
        """Tell which sections an earlier process of this run was through with in another state of the library."""
        done = () if self._kit.past is None else self._kit.past.done
        if not done:
            return
        marks = LibraryMarks({}) if fresh else await library.marks({r.section.id: last_mark(r) for r in done})
        for section, reason in reopened(done, marks.sections, last_section=marks.last_section, fresh=fresh):
            self._kit.bus.publish(e.SectionReopened(section=section, reason=reason))

    async def _mend(self) -> None:
        """Inject, check and repair, while Plex does not run; a library in use is left alone."""
        kit, wanted, paths = self._kit, self._kit.settings.library, self._kit.settings.plex.paths
        before = kit.past is not None and kit.past.injected
        if before and kit.library is not None and not await kit.library.exists():
            before = False  # what had been put in place is gone since
        archive = None if before else wanted.archive
        if paths is None or kit.library is None or await is_up(kit.runtime, kit.plex):
            if archive is not None:
                raise DatabaseError(_RUNS.format(archive))
            return
        if archive is not None:
            kit.bus.publish(await inject(kit.tools, archive, paths.databases))
        if wanted.check == "off" or not await kit.library.exists():
            return
        judged, reports = await judge(kit.tools, paths.databases, quick=wanted.check == "quick")
        kit.bus.publish(judged)
        if judged.healthy:
            return
        if not wanted.repair:
            raise DatabaseError(_DAMAGED.format("; ".join(judged.findings)))
        kit.bus.publish(await repair(kit.tools, paths.databases, reports))

    async def _copy(self) -> None:
        """Copy the library beside itself, where a file system that can shares the blocks; without room it goes without."""
        kit, paths, place = self._kit, self._kit.settings.plex.paths, self._kit.run_dir
        if kit.guard is None or not kit.settings.guard.snapshot or paths is None or place is None:
            return
        # One that was let go had nothing left to undo: the library of now is the one to go back to.
        let_go = self._snapshot is not None and not await anyio.Path(self._snapshot).exists()
        self._snapshot = None if let_go else self._snapshot
        if self._snapshot is not None or kit.library is None or not await kit.library.exists():
            return
        if kit.past is not None and kit.past.database_done and not let_go:
            return  # scans have been at it since: a copy of now would not be what was there before
        into = copy_of(place.name, paths.databases)
        if await anyio.Path(into).exists():
            self._snapshot = into  # whole, and from before the first scan: a killed process took it
            return
        began = anyio.current_time()
        try:
            taken = await snapshot(kit.tools, paths.databases, into)
        except DatabaseError as error:
            self._complain(
                f"the library was not copied, so entries that no scan heals could not be restored: {error}"
            )
            return
        self._snapshot = taken.path
        seconds = anyio.current_time() - began
        kit.bus.publish(e.SnapshotTaken(path=str(taken.path), size=taken.size, seconds=seconds))

    def _complain(self, error: str) -> None:
        self._kit.bus.publish(e.MonitorCrashed(monitor="guard", error=error, retry_in=0.0))
