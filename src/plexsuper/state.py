"""What is going on now: one pure fold of the event stream that every face and every resume shares."""

from dataclasses import dataclass, field, replace

from plexsuper import events as e
from plexsuper.terms import Outcome, Phase, RemovalCounts, SectionRef, SectionReport, Stage, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The picture after some prefix of the stream; `see` gives the picture after one more event."""

    profile: str = ""
    stage: Stage | None = None
    sections: tuple[SectionRef, ...] = ()
    reports: tuple[SectionReport, ...] = ()
    section: SectionRef | None = None
    phase: Phase | None = None
    progress: e.SectionPhaseProgressed | None = None
    mount: str = "unknown"
    mount_detail: str = ""
    server: str = "unknown"
    server_detail: str = ""
    quiet: bool = False
    frozen: int = 0
    frozen_seconds: float = 0.0
    removals: dict[int, RemovalCounts] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    statistics: dict[str, e.StatsCollected] = field(default_factory=dict)
    warnings: int = 0
    verdict: Verdict | None = None
    exit_code: int | None = None
    interrupted: bool = False
    jumped: float = 0.0
    """Seconds by which time stamps are ahead of what has passed, because the machine's clock was set."""

    @property
    def removed(self) -> RemovalCounts | None:
        """What became of all entries that vanished in this run; None when none of its scans was verified."""
        if not self.removals:
            return None
        names = RemovalCounts.__dataclass_fields__
        return RemovalCounts(
            **{name: sum(getattr(counts, name) for counts in self.removals.values()) for name in names}
        )

    @property
    def label(self) -> str:
        """The envelope's `phase`: the phase of the section in hand, else the stage, else `start` or `end`."""
        if self.phase is not None:
            return self.phase.value
        if self.stage is not None:
            return self.stage.value
        return "start" if self.verdict is None else "end"


def see(now: Now, event: e.Event) -> Now:
    """Return the picture after *event*."""
    after = _with(now, event)
    if e.level_of(event) in {"warning", "error"} and not isinstance(event, e.RunFinished):
        return replace(after, warnings=now.warnings + 1)  # a verdict sums the warnings up, it is none itself
    return after


def _with(now: Now, event: e.Event) -> Now:  # noqa: C901, PLR0912 - one flat table of facts
    match event:
        case e.RunStarted():
            return _begun(now, event)
        case e.RunInterrupted():
            return replace(now, interrupted=True)
        case e.ClockJumped():
            return replace(now, jumped=now.jumped + event.seconds)
        case e.RunResumed():
            return replace(now, reports=(*_done_before(now, event), *now.reports))
        case e.StageStarted():
            return replace(now, stage=event.stage)
        case e.SectionsChosen():
            refs = tuple(SectionRef(id=s.id, title=s.title) for s in event.sections)
            return replace(now, sections=refs)
        case e.SectionReopened():
            return replace(now, reports=tuple(r for r in now.reports if r.section.id != event.section.id))
        case e.SectionStarted():
            return replace(now, stage=Stage.SECTIONS, section=event.section)
        case e.SectionFinished():
            others = (report for report in now.reports if report.section.id != event.section.id)
            reports = (*others, event.report)
            return replace(now, section=None, phase=None, progress=None, reports=reports)
        case e.SectionPhaseStarted():
            return replace(now, section=event.section, phase=event.phase, progress=None)
        case e.SectionPhaseProgressed():
            return replace(now, progress=event)
        case e.SectionPhaseFinished():
            return replace(now, phase=None, progress=None)
        case e.MountReady():
            return replace(now, mount="healthy", mount_detail=event.detail)
        case e.MountSuspected():
            return replace(now, mount="suspected", mount_detail=event.detail)
        case e.MountLost() | e.MountAbandoned():
            return replace(now, mount="lost", mount_detail=event.detail)
        case e.MountRestored():
            return replace(now, mount="healthy", mount_detail="")
        case e.PlexStarted():
            return replace(now, server="started", server_detail=f"process {event.pid}")
        case e.PlexAttached():
            return replace(now, server="attached", server_detail=event.url)
        case e.PlexWaiting():
            return replace(now, server=event.state, server_detail=event.excerpt)
        case e.PlexReady():
            return replace(now, server="ready", server_detail=event.version)
        case e.PlexLost():
            return replace(now, server="lost", server_detail=event.detail, open=())
        case e.PlexStopped():
            return replace(now, server="stopped", server_detail="", open=())
        case e.PlexFrozen():
            frozen = now.frozen + 1
            return replace(now, server="frozen", server_detail=event.reason, frozen=frozen)
        case e.PlexFoundFrozen():
            return replace(now, server="left frozen", server_detail="a run that died had left it so")
        case e.PlexThawed():
            seconds = now.frozen_seconds + event.after
            server = "attached" if now.server == "left frozen" else "ready"  # nobody has seen that one ready
            return replace(now, server=server, server_detail="", frozen_seconds=seconds)
        case e.LibraryVerified(section=SectionRef(id=section)):
            return replace(now, removals={**now.removals, section: event.counts})
        case e.PrefsQuieted():
            return replace(now, quiet=True)
        case e.PrefsRestored():
            return replace(now, quiet=False)
        case e.ActivitiesChanged():
            busy = (activity for activity in event.running if not activity.permanent)
            titles = tuple(activity.title or activity.kind for activity in busy)
            return now if titles == now.open else replace(now, open=titles)
        case e.StatsCollected():
            return replace(now, statistics={**now.statistics, event.when: event})
        case e.RunFinished():
            ended = replace(now, stage=None, section=None, phase=None, progress=None, open=())
            return replace(ended, verdict=event.verdict, exit_code=event.exit_code)
        case _:
            return now


def _begun(now: Now, event: e.RunStarted) -> Now:
    """A process began, perhaps one that goes on with the run: what the one before it saw of the present has gone with it."""
    idle = replace(now, stage=None, section=None, phase=None, progress=None, open=())
    unseen = replace(idle, mount="unknown", mount_detail="", server="unknown", server_detail="")
    return replace(unseen, profile=event.profile, verdict=None, exit_code=None)


def _done_before(now: Now, event: e.RunResumed) -> tuple[SectionReport, ...]:
    """What is known of the sections that are not repeated, to who has not seen them being done."""
    known = {report.section.id for report in now.reports}
    return tuple(
        SectionReport(section=ref, outcome=Outcome.DONE) for ref in event.done if ref.id not in known
    )
