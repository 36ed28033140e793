"""Everything one run can be told to do: the stages, the phases, the monitors."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from typing import Never

import anyio

from plexsuper import events as e
from plexsuper.actions.catalogue import create_missing, list_sections
from plexsuper.actions.claim import claim_for_server
from plexsuper.actions.container import prepare_container
from plexsuper.actions.database import collect
from plexsuper.actions.logs import collect_logs
from plexsuper.actions.mount import mount_storage
from plexsuper.actions.persist import persist
from plexsuper.actions.recover import recover_storage
from plexsuper.actions.scanners import end_scanners, wait_for_scans
from plexsuper.actions.server import bring_up, stop_server
from plexsuper.actions.silence import Silence
from plexsuper.actions.storage import prove_storage
from plexsuper.actions.token import TokenSearch, find_token
from plexsuper.actions.viewers import mind_viewers
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.library.owners import Owners
from plexsuper.decisions.orders import Freeze, Monitor, RunPhase, Thaw
from plexsuper.decisions.selection import choose
from plexsuper.errors import ServerAway
from plexsuper.kit import Kit
from plexsuper.librarian import Librarian
from plexsuper.phases import Phases
from plexsuper.supervise import beside
from plexsuper.terms import Outcome, PhaseReport, Stage
from plexsuper.watches import Watches


class RunDeeds:
    """The deeds of one run; implements what the coordinator needs."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._freezer = kit.freezer
        self._owners = Owners(kit.library)
        self._silence = Silence(
            kit.plex, kit.freezer, kit.guard, now=kit.now, state_dir=kit.settings.state_dir
        )
        self._phases = Phases(kit, self._silence.ledger, self._owners)
        self._librarian = Librarian(kit)
        self._attached = False
        self._unproved = False
        """Whether Plex goes on although storage is not proved: its scanners are ended as they come."""

    # --- stages --------------------------------------------------------------------------------------

    async def stage(self, stage: Stage) -> Outcome:
        """Carry out *stage*; raise a `PlexsuperError` when it fails."""
        deeds: dict[Stage, Callable[[], Awaitable[Outcome]]] = {
            Stage.PREFLIGHT: self._preflight,
            Stage.INPUTS: self._inputs,
            Stage.DATABASE: self._librarian.prepare,
            Stage.STORAGE: self._prove_storage,
            Stage.SERVER: self._bring_up,
            Stage.TOKEN: self._find_token,
            Stage.QUIET: self._silence_plex,
            Stage.CATALOGUE: self._choose_sections,
            Stage.STATISTICS: self._collect_statistics,
            Stage.RESTORE: self._restore,
            Stage.STOP: self._stop,
            Stage.REVIVE: self._librarian.revive,
            Stage.CHECKPOINT: partial(self._librarian.export, "checkpoint"),
            Stage.EXPORT: partial(self._librarian.export, "final"),
        }
        return await deeds[stage]()

    async def _preflight(self) -> Outcome:
        if not self._kit.settings.run.dry_run:
            self._freezer.take_over()
        await self._kit.preflight()
        return Outcome.DONE

    async def _inputs(self) -> Outcome:
        kit = self._kit
        if kit.container is None or kit.images is None or kit.settings.run.dry_run:
            return Outcome.SKIPPED  # a local Plex asks for nothing: token and claim come from the settings
        await prepare_container(kit.container, kit.images, kit.claims, kit.bus.publish)
        self._freezer.take_over()
        return Outcome.DONE

    async def _prove_storage(self) -> Outcome:
        media, mount = self._kit.settings.media, self._kit.mount
        assert media.path is not None
        if mount is not None:
            await self._kit.resources.enter_async_context(mount)
            self._kit.bus.publish(await mount_storage(mount))
        else:
            self._kit.bus.publish(await prove_storage(self._kit.probe, media.path, deadline=media.deadline))
        return Outcome.DONE

    async def recover(self, reason: e.MountFault) -> None:
        """Bring the storage that we mounted back, within the patience of the settings."""
        if self._kit.mount is not None:
            patience = self._kit.settings.media.patience
            await recover_storage(self._kit.mount, reason, self._kit.bus.publish, patience=patience)

    async def _bring_up(self) -> Outcome:
        settings = self._kit.settings
        self._attached = await bring_up(
            self._kit.bus,
            plex=self._kit.plex,
            runtime=self._kit.runtime,
            url=settings.plex.url,
            now=self._kit.now,
            patience=settings.timing.ready_patience,
            attached=self._attached,
        )
        return Outcome.DONE

    async def _find_token(self) -> Outcome:
        settings = self._kit.settings
        search = TokenSearch(
            given=settings.plex.token,
            claim=await claim_for_server(self._kit.container, self._kit.claims, settings.plex.claim),
            learn=self._kit.redactor.learn,
            preferences_xml=self._kit.runtime.preferences_xml,
            every=settings.timing.token_every,
            patience=settings.timing.token_patience,
        )
        await find_token(self._kit.plex, search, self._kit.bus.publish)
        return Outcome.DONE

    async def _silence_plex(self) -> Outcome:
        wait = self._kit.settings.guard.when_idle
        await mind_viewers(self._kit.plex, self._kit.bus.publish, wait=wait)
        self._kit.bus.publish(await self._silence.begin())
        return Outcome.DONE

    async def _choose_sections(self) -> Outcome:
        settings = self._kit.settings
        patience = settings.timing.ready_patience
        await create_missing(self._kit.plex, self._kit.definitions, self._kit.bus.publish, patience=patience)
        listed = await list_sections(self._kit.plex, self._kit.library, settings.run.sections)
        strange = self._kit.plex.skipped
        chosen = choose(listed, settings.run.sections, strange=[section.title for section in strange])
        if strange and not settings.run.sections:
            self._kit.bus.publish(e.SectionsUnknown(sections=tuple(map(str, strange))))
        self._phases.roster.choose(chosen)
        if self._kit.guard is not None:
            await self._kit.guard.take_up(listed, resumed=self._kit.past is not None)
        self._kit.bus.publish(e.SectionsChosen(sections=chosen))
        return Outcome.DONE

    async def _collect_statistics(self) -> Outcome:
        if self._kit.library is None:
            return Outcome.SKIPPED
        reliable = self._kit.now().mount == "healthy"
        self._kit.bus.publish(await collect(self._kit.library, when="after", reliable=reliable))
        return Outcome.DONE

    async def _restore(self) -> Outcome:
        async with self._harmless():
            await self._stop_scans()
            await self._librarian.account()
            await self._silence.end(self._kit.bus.publish, patience=self._kit.settings.timing.goodbye)
        return Outcome.DONE

    def _harmless(self) -> AbstractAsyncContextManager[None]:
        """Keep a Plex that goes on without its storage from removing anything while the block lasts."""
        kit = self._kit
        keep = partial(end_scanners, kit.runtime)
        unproved = self._unproved or self._freezer.frozen  # to end, it goes on
        return beside(kit.bus.publish, "scanners", keep) if unproved else nullcontext()

    async def _stop_scans(self) -> None:
        patience = self._kit.settings.timing.goodbye
        with anyio.move_on_after(patience), suppress(ServerAway):
            await persist(self._freezer.settle, patience=patience)
            await wait_for_scans(self._kit.runtime)

    async def _stop(self) -> Outcome:
        patience = self._kit.settings.plex.stop_patience
        async with self._harmless():
            stopped = await stop_server(self._kit.runtime, patience=patience, library=self._kit.library)
        await self._librarian.close()
        if stopped is None:
            return Outcome.SKIPPED
        self._kit.bus.publish(stopped)
        if self._kit.container is not None:
            await self._collect_logs(self._kit.container)
        return Outcome.DONE

    async def _collect_logs(self, container: DockerRuntime) -> None:
        settings = self._kit.settings
        plex = None if settings.plex.paths is None else settings.plex.paths.logs
        hide = self._kit.redactor
        collected = await collect_logs(container, plex=plex, state_dir=settings.state_dir, hide=hide)
        self._kit.bus.publish(collected)

    # --- reflexes ------------------------------------------------------------------------------------

    def freeze(self, order: Freeze) -> None:
        """Let Plex stand still because storage is in doubt."""
        self._freezer.freeze("storage", order.reason, end_scan=order.end_scan)

    def thaw(self, order: Thaw) -> None:
        """Let Plex go on; after a loss, a container only when it sees the storage itself (see `watch_view`)."""
        self._unproved = self._freezer.frozen and not order.proved
        if self._unproved:
            self._kit.runtime.end_scanners()  # before anything moves
        if self._kit.container is not None and self._freezer.frozen:
            if not order.proved:
                self._freezer.thaw("view")
            elif not order.needless:
                self._freezer.freeze("view", "its container may not see the storage yet")
        self._freezer.thaw("storage", needless=order.needless)

    # --- phases and monitors -------------------------------------------------------------------------

    async def phase(self, order: RunPhase) -> PhaseReport:
        """Carry out a phase of a section."""
        return await self._phases.carry_out(order)

    @property
    def monitors(self) -> Mapping[Monitor, Callable[[], Awaitable[Never]]]:
        """How each monitor is run."""
        return Watches(self._kit, self._owners).all
