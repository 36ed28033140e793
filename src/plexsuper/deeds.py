"""Everything one run can be told to do: the stages, the phases, the monitors."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Literal, Never

import anyio

from plexsuper import events as e
from plexsuper.actions.analyze import start_analysis, stop_analysis
from plexsuper.actions.catalogue import create_missing
from plexsuper.actions.container import prepare_container
from plexsuper.actions.database import check_database, collect
from plexsuper.actions.library import export, inject, judge, repair
from plexsuper.actions.logs import collect_logs
from plexsuper.actions.mount import mount_storage
from plexsuper.actions.persist import persist
from plexsuper.actions.phase import Request, carry_out
from plexsuper.actions.quiet import restore, silence
from plexsuper.actions.recover import recover_storage
from plexsuper.actions.refresh import start_refresh, stop_refresh
from plexsuper.actions.scan import start_scan, stop_scan
from plexsuper.actions.server import bring_up, stop_server
from plexsuper.actions.sonic import start_sonic, stop_sonic
from plexsuper.actions.storage import missing_locations, prove_storage
from plexsuper.actions.token import TokenSearch, find_token
from plexsuper.actions.warm import warm_section
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.ledger import Ledger
from plexsuper.decisions.evidence import Evidence, counted
from plexsuper.decisions.orders import Monitor, RunPhase
from plexsuper.decisions.planned import planned_steps
from plexsuper.decisions.selection import choose
from plexsuper.errors import DatabaseError, ServerError
from plexsuper.kit import Kit, outset, patience
from plexsuper.monitors.container import watch_container
from plexsuper.monitors.mount import watch_mount
from plexsuper.monitors.notifications import watch_notifications
from plexsuper.monitors.progress import watch_progress
from plexsuper.monitors.scanner import watch_scanners
from plexsuper.monitors.server import watch_server
from plexsuper.monitors.storage import pace_of, watch_storage
from plexsuper.supervise import supervise
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionRef, Stage

_GONE: Final = "these locations of the section are not there: {}; mount them, or map the paths"


_RUNS: Final = (
    "library.archive {} can be put in place only while Plex does not run, and only where plex.config_dir is known; "
    "stop Plex first"
)
_DAMAGED: Final = "the library database is damaged: {}. Set library.repair, or run `plexsuper db repair`"


class RunDeeds:
    """The deeds of one run; implements what the coordinator needs."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._sections: dict[int, Section] = {}
        self._fresh: set[int] = set()
        self._machine = ""
        self._attached = False

    # --- stages --------------------------------------------------------------------------------------

    async def stage(self, stage: Stage) -> Outcome:
        """Carry out *stage*; raise a `PlexsuperError` when it fails."""
        deeds: dict[Stage, Callable[[], Awaitable[Outcome]]] = {
            Stage.PREFLIGHT: self._preflight,
            Stage.INPUTS: self._inputs,
            Stage.DATABASE: self._check_database,
            Stage.STORAGE: self._prove_storage,
            Stage.SERVER: self._bring_up,
            Stage.TOKEN: self._find_token,
            Stage.QUIET: self._silence,
            Stage.CATALOGUE: self._choose_sections,
            Stage.STATISTICS: self._collect_statistics,
            Stage.RESTORE: self._restore,
            Stage.STOP: self._stop,
            Stage.CHECKPOINT: partial(self._export, "checkpoint"),
            Stage.EXPORT: partial(self._export, "final"),
        }
        return await deeds[stage]()

    async def _preflight(self) -> Outcome:
        await self._kit.preflight()
        return Outcome.DONE

    async def _inputs(self) -> Outcome:
        kit = self._kit
        if kit.container is None or kit.images is None or kit.settings.run.dry_run:
            return Outcome.SKIPPED  # a local Plex asks for nothing: token and claim come from the settings
        await prepare_container(kit.container, kit.images, kit.bus.publish)
        return Outcome.DONE

    async def _check_database(self) -> Outcome:
        kit, sections = self._kit, None
        if not kit.settings.run.dry_run:
            await self._care_for_library()
        if kit.library is not None:
            checked, statistics = await check_database(kit.library)
            kit.bus.publish(checked)
            if statistics is not None:
                kit.bus.publish(statistics)
            sections = checked.sections
        if kit.settings.run.dry_run:
            kit.bus.publish(e.RunPlanned(steps=planned_steps(outset(kit, sections))))
        return Outcome.SKIPPED if kit.library is None else Outcome.DONE

    async def _care_for_library(self) -> None:
        """Inject, check and repair, while Plex does not run; a library in use is left alone."""
        kit, wanted, paths = self._kit, self._kit.settings.library, self._kit.settings.plex.paths
        if paths is None or kit.runtime.pid is not None or kit.library is None:
            if wanted.archive is not None:
                raise DatabaseError(_RUNS.format(wanted.archive))
            return
        if wanted.archive is not None:
            kit.bus.publish(await inject(kit.tools, wanted.archive, paths.databases))
        if wanted.check == "off" or not await kit.library.exists():
            return
        judged = await judge(kit.tools, paths.databases, quick=wanted.check == "quick")
        kit.bus.publish(judged)
        if judged.healthy:
            return
        if not wanted.repair:
            raise DatabaseError(_DAMAGED.format("; ".join(judged.findings)))
        kit.bus.publish(await repair(kit.tools, paths.databases))

    async def _export(self, when: Literal["checkpoint", "final"]) -> Outcome:
        wanted, paths = self._kit.settings.library, self._kit.settings.plex.paths
        archive = wanted.export if when == "final" else wanted.checkpoint
        if archive is None or paths is None:
            return Outcome.SKIPPED
        self._kit.bus.publish(await export(self._kit.tools, paths.databases, archive, when=when))
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
            claim=None if settings.plex.runtime == "docker" else settings.plex.claim,  # the container has it
            learn=self._kit.redactor.learn,
            preferences_xml=self._kit.runtime.preferences_xml,
            every=settings.timing.token_every,
            patience=settings.timing.token_patience,
        )
        await find_token(self._kit.plex, search, self._kit.bus.publish)
        return Outcome.DONE

    async def _silence(self) -> Outcome:
        self._machine = (await persist(self._kit.plex.identity)).machine
        self._kit.bus.publish(await silence(self._kit.plex, self._ledger))
        return Outcome.DONE

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self._kit.settings.state_dir, self._machine)

    async def _choose_sections(self) -> Outcome:
        settings = self._kit.settings
        patience = settings.timing.ready_patience
        await create_missing(self._kit.plex, self._kit.definitions, self._kit.bus.publish, patience=patience)
        chosen = choose(await persist(self._kit.plex.sections), settings.run.sections)
        self._sections = {section.id: section for section in chosen}
        self._kit.bus.publish(e.SectionsChosen(sections=chosen))
        return Outcome.DONE

    async def _collect_statistics(self) -> Outcome:
        if self._kit.library is None:
            return Outcome.SKIPPED
        reliable = self._kit.now().mount == "healthy"
        self._kit.bus.publish(await collect(self._kit.library, when="after", reliable=reliable))
        return Outcome.DONE

    async def _restore(self) -> Outcome:
        with anyio.move_on_after(self._kit.settings.timing.goodbye):
            restored = await persist(
                lambda: restore(self._kit.plex, self._ledger), patience=self._kit.settings.timing.goodbye
            )
            self._kit.bus.publish(restored)
            if restored.failed:
                raise ServerError(f"Plex did not take back: {', '.join(restored.failed)}. {_BY_HAND}")
            return Outcome.DONE
        raise ServerError(f"Plex did not answer, so its settings are still silenced. {_BY_HAND}")

    async def _stop(self) -> Outcome:
        patience = self._kit.settings.plex.stop_patience
        stopped = await stop_server(self._kit.runtime, patience=patience, library=self._kit.library)
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

    # --- phases --------------------------------------------------------------------------------------

    async def phase(self, order: RunPhase) -> PhaseReport:
        """Carry out a phase of a section, after proving that its storage is there."""
        kit, phase = self._kit, order.phase
        about = self._sections[order.section.id]
        media = kit.settings.media
        assert media.path is not None
        await prove_storage(kit.probe, media.path, deadline=media.deadline)
        gone = await missing_locations(
            kit.probe, about.locations, deadline=media.deadline, inside=kit.runtime.inside
        )
        if gone:
            note = _GONE.format(", ".join(gone))
            return PhaseReport(phase=phase, outcome=Outcome.SET_ASIDE, seconds=0.0, note=note)
        if phase is Phase.ANALYZE:
            await self._warm(order.section)
        ask, call_off = self._verbs(order)
        request = Request(
            section=order.section,
            phase=phase,
            attempt=order.attempt,
            patience=patience(kit.settings, about),
            fresh=about.id in self._fresh,
            forced=self._forced(order),
            ask=ask,
            call_off=call_off,
            look=partial(self._look, about.id),
        )
        report = await carry_out(request, kit.bus)
        if report.added != 0:  # not counted is not 0
            self._fresh.add(about.id)
        if phase is Phase.SONIC and report.outcome is Outcome.DONE:
            await persist(partial(stop_sonic, kit.plex))  # it goes on with the music of other sections
        return report

    def _forced(self, order: RunPhase) -> bool:
        deep = order.phase is Phase.SCAN and (self._kit.settings.run.deep or order.thorough)
        return deep or order.phase is Phase.REFRESH

    async def _warm(self, section: SectionRef) -> None:
        """Read the beginning of what will be analysed: a cold cache makes Plex's reads fail (lesson F01)."""
        kit, mount = self._kit, self._kit.mount
        if mount is None or kit.library is None or not kit.settings.media.warm:
            return
        async with kit.library.open() as library:
            files = await library.unanalyzed_files(section.id)
        if files:
            await warm_section(section, files, kit.bus.publish, limit=lambda: mount.budget.limit)

    def _verbs(self, order: RunPhase) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
        plex, section = self._kit.plex, order.section.id
        match order.phase:
            case Phase.SCAN:
                deep = self._forced(order)
                return partial(start_scan, plex, section, deep=deep), partial(stop_scan, plex, section)
            case Phase.ANALYZE:
                return partial(start_analysis, plex, section), partial(stop_analysis, plex, section)
            case Phase.REFRESH:
                return partial(start_refresh, plex, section), partial(stop_refresh, plex, section)
            case Phase.SONIC:
                return partial(start_sonic, plex), partial(stop_sonic, plex)

    async def _look(self, section: int) -> tuple[Evidence, ...]:
        """Read everything that counts as evidence for *section* directly."""
        kit = self._kit
        seen: list[Evidence] = [
            e.ActivitiesChanged(running=await kit.plex.activities()),
            e.SectionsChanged(sections=await kit.plex.sections()),
            e.ScannersChanged(running=kit.runtime.scanners()),
        ]
        if kit.library is not None:
            async with kit.library.open() as library:
                seen.append(counted(await library.section_counts(section)))
        return tuple(seen)

    # --- monitors ------------------------------------------------------------------------------------

    @property
    def monitors(self) -> Mapping[Monitor, Callable[[], Awaitable[Never]]]:
        """How each monitor is run."""
        return {
            Monitor.MOUNT: self._watch_mount,
            Monitor.SERVER: self._watch_server,
            Monitor.NOTIFICATIONS: self._watch_notifications,
            Monitor.SCANNERS: self._watch_scanners,
            Monitor.PROGRESS: self._watch_progress,
        }

    async def _watch_mount(self) -> Never:
        media, mount = self._kit.settings.media, self._kit.mount
        assert media.path is not None
        if mount is not None:
            pace = pace_of(self._kit.settings.profile)
            await watch_storage(self._kit.bus.publish, mount, pace=pace, patience=media.patience)
        await watch_mount(
            self._kit.bus.publish,
            probe=self._kit.probe,
            path=media.path,
            every=media.every,
            deadline=media.deadline,
            patience=media.patience,
        )

    async def _watch_server(self) -> Never:
        kit, timing = self._kit, self._kit.settings.timing
        server = partial(
            watch_server,
            kit.bus.publish,
            plex=kit.plex,
            runtime=kit.runtime,
            every=timing.poll_every,
            patience=timing.ready_patience,
        )
        if kit.container is None:
            await server()
        every = timing.poll_every
        container = partial(watch_container, kit.bus.publish, container=kit.container, every=every)
        async with anyio.create_task_group() as tasks:  # the container lives as long as the server does
            tasks.start_soon(supervise, kit.bus.publish, "container", container)
            tasks.start_soon(supervise, kit.bus.publish, Monitor.SERVER.value, server)
        raise AssertionError("unreachable: monitors never end")

    async def _watch_notifications(self) -> Never:
        every = self._kit.settings.timing.poll_every
        await watch_notifications(self._kit.bus.publish, plex=self._kit.plex, every=every)

    async def _watch_scanners(self) -> Never:
        every = self._kit.settings.timing.sample_every
        await watch_scanners(self._kit.bus.publish, runtime=self._kit.runtime, every=every)

    async def _watch_progress(self) -> Never:
        timing, source = self._kit.settings.timing, self._kit.library
        if source is not None:
            async with source.open() as library:
                await watch_progress(
                    self._kit.bus.publish,
                    library=library,
                    every=timing.sample_every,
                    full_every=timing.count_every,
                )
        while True:  # without a database there is nothing to sample
            await anyio.sleep_forever()


_BY_HAND: Final = (
    "Start plexsuper again with Plex running: it restores what it remembers; or set autoEmptyTrash and the "
    "scheduled tasks in Plex's settings by hand"
)
