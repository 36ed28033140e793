"""The last words of a run: the verdict, what became of each section, what changed in the library, and where things are."""

import io
from collections.abc import Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from plexsuper import events as e
from plexsuper.faces import marks
from plexsuper.faces.blocks import ended, paragraph
from plexsuper.faces.numbers import change, count, duration, warned
from plexsuper.faces.picture import Picture
from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import RUN, SHORT, VERDICTS
from plexsuper.faces.words.guard import fates
from plexsuper.terms import Counts, Outcome, Phase, RemovalCounts, SectionReport, Verdict

NARROW = 64
"""Columns below which sections get a row of words instead of a table."""

WARNINGS = 8
"""How many of the last warnings and errors a summary repeats."""

_KINDS = {
    "movie": ("movies",),
    "show": ("shows", "seasons", "episodes"),
    "artist": ("artists", "albums", "tracks"),
    "photo": ("photo_albums", "photos"),
}


def summary(
    picture: Picture, places: Mapping[str, str] | None = None, *, width: int = 80, told: bool = False
) -> RenderableType:
    """Return the summary of the run in *picture* for *width* columns; *places* says where its files are.

    *told*: what was in the way of the run stands in the lines above and is not repeated.
    """
    parts: list[RenderableType] = [_verdict(picture)]
    if picture.now.verdict is Verdict.PLANNED:
        parts += [Text(), *_plan(picture, width - 2)]
    reports = tuple(
        map(picture.whole, picture.finished.sections if picture.finished else picture.now.reports)
    )
    if reports:
        parts += [Text(), *map(ended, reports)] if width < NARROW else [Text(), _sections(reports)]
    if told and picture.findings:
        parts.append(Text("Nothing was started. What is in the way is told above."))
    else:
        parts += _attention(picture, () if width < NARROW else reports, width - 2)
    parts += _library(picture)
    parts += _guard(picture)
    if places:
        parts += [Text(), _places(places, picture.run)]
    return Padding(Group(*parts), (1, 1))


def as_text(picture: Picture, places: Mapping[str, str] | None = None, *, width: int = 80) -> str:
    """Return the summary as plain text, for the end of a log."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(summary(picture, places, width=width, told=True))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _verdict(picture: Picture) -> Text:
    end = picture.finished
    if end is None:
        return Text("The run has not ended.", "bold yellow")
    mark = marks.verdict(end.verdict)
    text = Text.assemble((f"{mark.symbol} {VERDICTS[end.verdict]}", f"bold {mark.style}"))
    text.append(f" after {duration(end.duration)}", "bold")
    text.append(f" · exit code {end.exit_code}", "dim")
    if picture.now.warnings and not picture.findings:
        text.append(f" · {warned(picture.now.warnings)}", "yellow")
    if (
        end.detail and not picture.findings
    ):  # else each thing that is in the way is named on a line of its own
        text.append(f"\n{plain(end.detail)}")
    return text


def _plan(picture: Picture, width: int) -> Iterator[Text]:
    if picture.tidy and not picture.steps:
        yield Text("There is nothing to tidy up.")
        return
    yield Text("It would" if picture.tidy else "A run would", "bold")
    for place, step in enumerate(picture.steps, start=1):
        yield from paragraph(Text(f"{place:3}. "), Text(plain(step)), width, 4)
    yield Text("Next: the same command without --dry-run.")


def _sections(reports: tuple[SectionReport, ...]) -> Table:
    phases = [phase for phase in Phase if any(phase in _by_phase(report) for report in reports)]
    table = _table("section", *(f"{marks.PHASES[p].symbol} {SHORT[p]}" for p in phases), "waited", "total")
    for report in reports:
        mark = marks.OUTCOMES[report.outcome]
        name = Text.assemble((f"{mark.symbol} ", mark.style), plain(report.section.title))
        done = _by_phase(report)
        waited = sum(phase.waited for phase in report.phases)
        total = sum(phase.seconds for phase in report.phases)
        table.add_row(name, *(_phase(done.get(p)) for p in phases), duration(waited), duration(total))
    return table


def _by_phase(report: SectionReport) -> dict[Phase, tuple[Outcome, float]]:
    """The last outcome and all the time of each phase, which may have been tried more than once."""
    done: dict[Phase, tuple[Outcome, float]] = {}
    for phase in report.phases:
        before = done.get(phase.phase, (phase.outcome, 0.0))[1]
        done[phase.phase] = (phase.outcome, before + phase.seconds)
    return done


def _phase(done: tuple[Outcome, float] | None) -> Text:
    if done is None:
        return Text("·", "dim")
    outcome, seconds = done
    if outcome is Outcome.DONE:
        return Text(duration(seconds))
    mark = marks.OUTCOMES[outcome]
    return Text(f"{mark.symbol} {outcome.replace('_', ' ')}", mark.style)


def _attention(picture: Picture, reports: tuple[SectionReport, ...], width: int) -> Iterator[Text]:
    """Why sections are not done, and the last warnings: what a person should read before they leave."""
    for report in reports:
        if report.outcome is not Outcome.DONE and report.reason:
            mark = marks.OUTCOMES[report.outcome]
            title = (f"{mark.symbol} {plain(report.section.title)}: ", mark.style)
            yield Text.assemble(title, plain(report.reason))
    detail = "" if picture.finished is None else picture.finished.detail
    fresh = [line for line in picture.warnings if not detail or line.detail != detail]
    warnings = list({line.text: line for line in reversed(fresh)}.values())[::-1]  # what was said twice: once
    last = warnings[-WARNINGS:]
    if last:
        more = picture.warned - len(picture.warnings) + len(warnings) - len(last)
        head = "in the way of a run" if picture.findings else "warnings"
        yield Text()
        yield Text(f"last {head} ({count(more)} more before)" if more > 0 else head, "dim")
    for line in last:
        mark = marks.LEVELS[line.level]
        stamp = (f"[{line.ts.astimezone(picture.zone):%H:%M:%S}] ", "dim")
        lead = Text.assemble(stamp, (f"{mark.symbol} ", mark.style))
        yield from paragraph(lead, Text(line.text, mark.style), width, 6)


def _library(picture: Picture) -> list[RenderableType]:
    """Before and after, by kind: the kinds of this run's sections, and any other that changed all the same."""
    seen = picture.now.statistics
    after = seen.get("after")
    if after is None:
        return []
    before = seen.get("before")
    table = _table("library", "before", "after", "change", "trash")
    for kind in _kinds(picture, before, after):
        table.add_row(*_kind(kind, before, after))
    notes = [
        Text(f"The numbers {s.when} the run are not reliable: storage was unstable.", "yellow")
        for s in (before, after)
        if s is not None and not s.reliable
    ]
    return [Text(), table, *notes] if table.row_count else list(notes)


def _guard(picture: Picture) -> list[RenderableType]:
    """What became of the entries that vanished, and how long Plex stood still for that."""
    removed, frozen = picture.now.removed, picture.now.frozen
    if removed is None or (removed == RemovalCounts() and not frozen):
        return []
    lost = removed.lost + removed.unknown
    text = Text.assemble((f"{'✘' if lost else '✔'} ", "red" if lost else "green"))
    text.append(
        f"{fates(removed) or 'nothing was removed'}; {'NOT everything is safe' if lost else 'nothing is lost'}"
    )
    if frozen:
        stood = duration(picture.now.frozen_seconds)
        often = "once" if frozen == 1 else f"{count(frozen)} times"
        text.append(f"; Plex was frozen {often}, for {stood} in all", "dim")
    return [Text(), text]


def _kinds(picture: Picture, before: e.StatsCollected | None, after: e.StatsCollected) -> Iterator[str]:
    ours = {kind for type_ in picture.types for kind in _KINDS[type_]}
    if any(phase.phase is Phase.SONIC for report in picture.now.reports for phase in report.phases):
        ours.add("sonic")
    for kind in Counts.__dataclass_fields__:
        old, trash = _number(before, kind), getattr(after.statistics.trashed, kind)
        new = getattr(after.statistics.live, kind)
        if old != new or (kind in ours and (old or new or trash)):
            yield kind


def _kind(kind: str, before: e.StatsCollected | None, after: e.StatsCollected) -> tuple[Text, ...]:
    old, new = _number(before, kind), getattr(after.statistics.live, kind)
    trash = getattr(after.statistics.trashed, kind)
    style = "" if new == old else "green" if new > old else "yellow"
    return (
        Text(kind.replace("_", " ")),
        Text(count(old) if before else "·"),
        Text(count(new)),
        Text(change(new - old), style),
        Text(count(trash) if trash else "·", "yellow" if trash else "dim"),
    )


def _number(statistics: e.StatsCollected | None, kind: str) -> int:
    return 0 if statistics is None else int(getattr(statistics.statistics.live, kind))


def _places(places: Mapping[str, str], run: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, place in places.items():
        table.add_row(Text(plain(name), "dim"), Text(plain(place.replace(RUN, run)), overflow="fold"))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(first, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right")
    return table
