"""What must hold after every run of chaos, looked at from outside: storage, library rows, the simulator's own record."""

import math
from collections.abc import Iterator

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.terms import Outcome, Removal, Stage
from tests.story import Story
from tests.story_chaos import LONGEST, Chaos
from tests.story_chaos_world import Record, Span, hides

FRESH = 60.0
"""A proof of the storage is at most so many seconds old when a scan is asked for."""

_WITHHELD = "autoEmptyTrash"


def findings(chaos: Chaos, story: Story, record: Record) -> list[str]:
    """Return every way in which the run was not as it must be."""
    return [
        *_lost(chaos, story, record),
        *_told(chaos, story, record),
        *_verdict(story),
        *_scans(chaos, story, record),
        *_frozen(story, record),
        *_preferences(story, record),
    ]


def _lost(chaos: Chaos, story: Story, record: Record) -> Iterator[str]:
    """Whatever was live and is in storage is live, or the run says that it is in doubt."""
    in_doubt = {removal.file for removal in story.removals if removal.fate in ("lost", "unknown")}
    for file in sorted((record.live_before.keys() & record.stored) - record.live_after - in_doubt):
        if not _unknowable(chaos, record, file) and not _was_others(story, record, file):
            yield f"lost and not told: {file} ({_fate(story.removals, file)})"


def _told(chaos: Chaos, story: Story, record: Record) -> Iterator[str]:
    """Every fate that is told is true: at the time of the last account, after which a user may have deleted more."""
    accounted = max(_accounts(story), default=math.inf)
    for removal in story.removals:
        stored, live = removal.file in record.stored, removal.file in record.live_after
        match removal.fate:
            case "confirmed" | "moved" if (
                stored and not live and not _unknowable(chaos, record, removal.file)
            ):
                yield f"{removal.fate}, but it is in storage: {removal.file}"
            case "lost" if not stored and record.removed.get(removal.file, -math.inf) <= accounted:
                yield f"lost, but it is not in storage: {removal.file}"
            case "lost" if chaos.owned and chaos.undo:
                yield f"lost, but there is a copy, and Plex was ours to stop: {removal.file}"
            case "lost" if live:
                yield f"lost, but it is live: {removal.file}"
            case "healed" | "restored" if stored and not live:
                yield f"{removal.fate}, but it is not live: {removal.file}"
            case "healed" if record.removed.get(removal.file, math.inf) < _trashed_at(story, removal.file):
                yield f"healed, but its file was gone when it was removed: {removal.file}"
            case _:
                continue


def _verdict(story: Story) -> Iterator[str]:
    """The exit code says what the events say."""
    if story.conclusion is None:
        yield "the run has no conclusion"
        return
    code = story.conclusion.exit_code
    verified = [fact.counts for fact in story.of(e.LibraryVerified) if fact.section is None]
    lost = verified[-1].lost if verified else 0
    if bool(lost) != (code is ExitCode.LOSS):
        yield f"{lost} lost, and the exit code is {code!r}"
    aside = [report for report in story.conclusion.reports if report.outcome is not Outcome.DONE]
    if code is ExitCode.DONE and aside:
        yield f"exit code 0, but {aside[0].section.title} was {aside[0].outcome}"
    if code is ExitCode.INTERNAL:
        yield f"internal error: {story.conclusion.detail}"
    for report in story.conclusion.reports:
        if "internal error" in report.reason:
            yield f"internal error in {report.section.title}: {report.reason}"
    for crash in story.of(e.MonitorCrashed):
        yield f"{crash.monitor} crashed: {crash.error}"
    if story.times[-1] > LONGEST:
        yield f"it took {story.times[-1]:.0f} s"


def _scans(chaos: Chaos, story: Story, record: Record) -> Iterator[str]:
    """No scan is asked for on storage that was not just proved, or in a section that was not let through its gate."""
    gates = [
        (at, fact.section.id, fact.passed)
        for fact, at in zip(story.facts, story.times, strict=True)
        if isinstance(fact, e.GuardGated)
    ]
    stops = [
        at
        for fact, at in zip(story.facts, story.times, strict=True)
        if isinstance(fact, e.PlexThawed | e.PlexFrozen)
    ]
    ended = {section for _, section, passed in gates if not passed}
    for entry in story.world.truth.of("scan.asked"):
        at, section = entry["mono"], entry["section"]
        if at in record.foreign_scans:
            continue
        if any(at - 2 * chaos.knobs.answer_delay <= when <= at for when in stops):
            continue  # it was on its way when Plex was frozen
        sent = at - chaos.knobs.answer_delay - chaos.knobs.jitter
        looks = [(when, good) for when, good in record.looks if when <= at + 1e-6]
        seen = {looks[-1][1] if looks else False, next((g for w, g in reversed(looks) if w <= sent), False)}
        if True not in seen:
            yield f"a scan of section {section} was asked for at {at:.2f} on storage that failed its last look"
        elif at - looks[-1][0] > FRESH:
            yield f"a scan of section {section} was asked for at {at:.2f}; the last proof is {at - looks[-1][0]:.0f} s old"
        before = [passed for when, of, passed in gates if of == section and when <= at + 1e-6]
        if section in ended and before and not before[-1]:
            yield f"a scan of section {section} was asked for at {at:.2f}, but its gate was shut"


def _frozen(story: Story, record: Record) -> Iterator[str]:
    """What was frozen goes on, and nothing is left."""
    balance = 0
    for fact in story.of(e.PlexFrozen, e.PlexThawed):
        balance += 1 if isinstance(fact, e.PlexFrozen) else -1
        if balance not in (0, 1):
            yield "frozen twice, or thawed twice"
    if balance or record.frozen:
        yield "Plex is frozen at the end"


def _preferences(story: Story, record: Record) -> Iterator[str]:
    """The user's settings are back, but for the one that is withheld and told to be."""
    before, after = record.preferences
    if not before:
        return
    restored = story.of(e.PrefsRestored)
    ended = [fact for fact in story.of(e.StageFinished) if fact.stage is Stage.RESTORE]
    if not restored:
        if not ended or ended[-1].outcome is not Outcome.FAILED:
            yield "the settings were not restored, and that was not told"
        return
    withheld = restored[-1].withheld
    wrong = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if left := wrong - set(withheld) - set(restored[-1].failed) - {"ProcessedMachineIdentifier"}:
        yield f"not as before: {', '.join(sorted(left))}"
    verified = [fact.counts for fact in story.of(e.LibraryVerified) if fact.section is None]
    if (
        verified
        and not verified[0].clean
        and _WITHHELD not in withheld
        and after.get(_WITHHELD) != before.get(_WITHHELD)
    ):
        yield "removals were in doubt, and the trash is emptied automatically again"


def _was_others(story: Story, record: Record, file: str) -> bool:
    """Say whether somebody else's scan removed *file* before its section was written down, or after the last account."""
    asked = {
        entry["section"]
        for entry in story.world.truth.of("scan.asked")
        if entry["mono"] in record.foreign_scans
    }
    section = record.live_before[file]
    at = _trashed_at(story, file)
    told = list(zip(story.facts, story.times, strict=True))
    written = [t for fact, t in told if isinstance(fact, e.GuardRecorded) and fact.section.id == section]
    last = max(_accounts(story), default=math.inf)
    return section in asked and (at < min(written, default=math.inf) or at >= last)


def _accounts(story: Story) -> list[float]:
    """Return when the removals of the whole run were accounted for."""
    told = zip(story.facts, story.times, strict=True)
    return [at for fact, at in told if isinstance(fact, e.LibraryVerified) and fact.section is None]


def _trashed_at(story: Story, file: str) -> float:
    return next((entry["mono"] for entry in story.world.truth.of("item.trashed", file=file)), 0.0)


def _fate(removals: tuple[Removal, ...], file: str) -> str:
    return next((removal.fate for removal in removals if removal.file == file), "not among the removals")


def _unknowable(chaos: Chaos, record: Record, file: str) -> bool:
    """Say whether whoever was asked for *file* could truly say that it was gone, although it was not.

    A listing that is cut short, or a folder that has vanished in a location that has not, cannot be told from files that
    were deleted.
    """
    return any(_lies(chaos, span) and hides(span.deed, file) for span in record.spans)


def _lies(chaos: Chaos, span: Span) -> bool:
    deed = span.deed
    if chaos.remote and not deed.deep:
        return False
    return deed.kind == "hide" or deed.path not in {"/media", *(shelf.folder for shelf in chaos.shelves)}
