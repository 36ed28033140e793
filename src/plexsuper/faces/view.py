"""Draws the picture as rows for a terminal of any size; pure, and cheap enough to be done every second."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from functools import lru_cache

from rich.cells import cell_len
from rich.text import Text

from plexsuper.faces import marks
from plexsuper.faces.blocks import bar, cut, ended, paragraph, sides
from plexsuper.faces.numbers import clock, count, duration, eta, percent, rate
from plexsuper.faces.picture import Line, Picture
from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import DOES, MOUNT, OUTCOMES, SERVER, SHORT, STAGES
from plexsuper.terms import Outcome, Phase, Stage

NARROW = 64
"""Columns below which rows are broken in two."""

SHORTEST_BAR = 6
"""Columns below which a bar says less than the number beside it."""

EVENTS = 12
"""How many rows the last events get at most."""

_ON_DEMAND = (Stage.REVIVE, Stage.CHECKPOINT, Stage.EXPORT)


def draw(picture: Picture, at: datetime, *, width: int, height: int) -> list[Text]:
    """Return at most *height* rows of at most *width* columns that show *picture* at the time *at*."""
    head = [*_header(picture, at, width), *_states(picture, width), _ladder(picture, width)]
    body = list(_section(picture, at, width)) or list(_stage(picture, at))
    room = height - len(head) - len(body)
    shown = _sections(picture, min(room - 5, room // 2))
    room -= len(shown) + 1
    gaps = room >= 8
    room -= 2 if gaps and shown else 1 if gaps else 0
    events = list(_events(picture, width, min(EVENTS, room)))
    blank = [Text()] if gaps else []
    rows = [*head, *(blank if body else []), *body, *(blank if shown else []), *shown, *events]
    return [cut(row, width) for row in rows[:height]]


def _header(picture: Picture, at: datetime, width: int) -> Iterator[Text]:
    now = picture.now
    left = Text.assemble((" plexsuper ", "bold reverse"), " ", (plain(now.profile), "bold"))
    passed = (at - picture.started).total_seconds() - now.jumped if picture.started else 0.0
    elapsed = clock(max(0.0, passed))
    right = Text()
    if now.warnings:
        word = "!" if width < NARROW else "warning" if now.warnings == 1 else "warnings"
        right.append(f"{count(now.warnings)} {word}  ", "yellow")
    if now.verdict is not None:
        mark = marks.verdict(now.verdict)
        right.append(f"{mark.symbol} {now.verdict.replace('_', ' ')}  ", mark.style)
    right.append(elapsed, "bold")
    yield sides(left, right, width)
    yield Text("─" * width, "dim")


def _states(picture: Picture, width: int) -> Iterator[Text]:
    now = picture.now
    mount = marks.MOUNT.get(now.mount, marks.ON_THE_WAY)
    storage = _state("storage", mount, MOUNT.get(now.mount, now.mount), now.mount_detail)
    server = marks.SERVER.get(now.server, marks.ON_THE_WAY)
    plex = _state("Plex", server, SERVER.get(now.server, now.server), now.server_detail)
    if now.quiet:
        plex.append(" · quiet", "dim")
    if width < NARROW:
        yield from (storage, plex)
    else:
        half = width // 2
        storage.truncate(half - 2, overflow="ellipsis", pad=True)
        yield Text.assemble(storage, "  ", plex)


def _state(name: str, mark: marks.Mark, word: str, detail: str) -> Text:
    text = Text.assemble((f"{mark.symbol} ", mark.style), f"{name} ", (word, mark.style))
    if detail:
        text.append(f" · {plain(detail)}", "dim")
    return text


def _ladder(picture: Picture, width: int) -> Text:
    for names in (True, False):
        text = Text(" ").join(_step(picture, stage, names=names) for stage in _ladder_of(picture))
        if text.cell_len <= width:
            break
    return text


def _ladder_of(picture: Picture) -> list[Stage]:
    """Return the stages of this run; an export is only shown when there is one."""
    return [stage for stage in Stage if stage not in _ON_DEMAND or stage in picture.entered]


def _step(picture: Picture, stage: Stage, *, names: bool) -> Text:
    outcome = _outcome(picture, stage)
    if outcome is not None:
        mark, named = marks.OUTCOMES[outcome], outcome not in {Outcome.DONE, Outcome.SKIPPED}
    elif stage is picture.now.stage:
        mark, named = marks.RUNNING, True
    else:
        mark, named = marks.WAITING, False
    return Text(f"{mark.symbol} {STAGES[stage] if names or named else ''}".rstrip(), mark.style)


def _outcome(picture: Picture, stage: Stage) -> Outcome | None:
    """How *stage* ended; None while it has not. One that was left without a word was done, else passed over."""
    if stage in picture.stages:
        return picture.stages[stage]
    if stage is picture.now.stage or not _passed(picture, stage):
        return None
    return Outcome.DONE if stage in picture.entered else Outcome.SKIPPED


def _passed(picture: Picture, stage: Stage) -> bool:
    order = _ladder_of(picture)
    reached = [*picture.stages, *([picture.now.stage] if picture.now.stage else [])]
    return any(order.index(other) > order.index(stage) for other in reached)


def _stage(picture: Picture, at: datetime) -> Iterator[Text]:
    stage = picture.now.stage
    if stage is None:
        return
    row = Text.assemble((f"{marks.RUNNING.symbol} ", marks.RUNNING.style), (DOES[stage], "bold"))
    if picture.stage_since is not None:
        row.append(f"  {clock((at - picture.stage_since).total_seconds())}", "dim")
    yield row


def _section(picture: Picture, at: datetime, width: int) -> Iterator[Text]:
    section = picture.now.section
    if section is None:
        return
    ids = [ref.id for ref in picture.now.sections]
    place = f"  {ids.index(section.id) + 1} of {len(ids)}" if section.id in ids else ""
    title = Text.assemble((plain(section.title), "bold"), (place, "dim"))
    since = picture.section_since
    yield sides(title, Text(clock((at - since).total_seconds()) if since else "", "dim"), width)
    ended = {report.phase: report for report in picture.phase_reports}
    for phase in picture.phases:
        if phase is picture.now.phase:
            yield from _running(picture, phase, at, width)
        elif phase in ended:
            report = ended[phase]
            mark = marks.OUTCOMES[report.outcome]
            word = "" if report.outcome is Outcome.DONE else f"{OUTCOMES[report.outcome]} after "
            yield _phase(phase, mark, f"{word}{duration(report.seconds)}", mark.style)
        else:
            yield _phase(phase, marks.WAITING, "", "dim")
    if picture.now.open:
        yield Text(f"  Plex: {plain(', '.join(picture.now.open))}", "dim")


def _phase(phase: Phase, mark: marks.Mark, text: str, style: str) -> Text:
    icon = marks.PHASES[phase]
    name = (f"{icon.symbol} {SHORT[phase]:<9}", icon.style if mark is not marks.WAITING else "dim")
    return Text.assemble((f"{mark.symbol} ", mark.style), name, (text, style))


def _running(picture: Picture, phase: Phase, at: datetime, width: int) -> Iterator[Text]:
    since = picture.phase_since
    row = _phase(phase, marks.RUNNING, clock((at - since).total_seconds()) if since else "", "")
    progress = picture.now.progress
    if progress is None or progress.phase is not phase:
        yield row
        return
    done = count(progress.done)
    facts = [f"{done} so far" if progress.total is None else f"{done} of {count(progress.total)}"]
    facts += [rate(progress.rate)] if progress.rate else []
    facts += [eta(progress.eta)] if progress.eta is not None else []
    if width < NARROW:  # the end of the row may be cut: what a person waits for comes first
        yield row
        row, facts = Text(), list(reversed(facts))
    tail = "  ".join(facts)
    if progress.percent is not None:
        share = f" {percent(progress.percent):>5}"
        room = min(30, width - cell_len(f"{row.plain}  {share}  {tail}"))
        drawn = bar(progress.percent, room, marks.PHASES[phase].style) if room >= SHORTEST_BAR else Text()
        row = Text.assemble(row, "  ", drawn, (share, "bold"))
    yield Text.assemble(row, "  ", tail)


def _sections(picture: Picture, room: int) -> list[Text]:
    """The sections that are behind us, the oldest summed up where there is no *room*, and those to come."""
    now = picture.now
    behind = {report.section.id for report in now.reports} | ({now.section.id} if now.section else set())
    ahead = [plain(ref.title) for ref in now.sections if ref.id not in behind]
    rows = [ended(picture.whole(report)) for report in now.reports]
    to_come = [Text(f"{marks.WAITING.symbol} then {', '.join(ahead)}", "dim")] if ahead else []
    room -= len(to_come)
    if len(rows) > room > 0:
        left = len(rows) - room + 1
        rows = [Text(f"  {count(left)} more before", "dim"), *rows[left:]]
    return [*rows[: max(0, room)], *to_come]


def _events(picture: Picture, width: int, room: int) -> Iterator[Text]:
    if room < 1:
        return
    rows: list[Text] = []
    for line in reversed(picture.recent):
        rows = [*_event(line, width, room - len(rows), picture.zone), *rows]
        if len(rows) >= room:
            break
    yield Text("─" * width, "dim")
    yield from rows


@lru_cache(maxsize=64)  # the same rows come again every second, and wrapping is what costs
def _event(line: Line, width: int, room: int, zone: tzinfo | None) -> tuple[Text, ...]:
    mark = marks.LEVELS[line.level]
    stamp = Text.assemble((f"[{line.ts.astimezone(zone):%H:%M:%S}] ", "dim"), (f"{mark.symbol} ", mark.style))
    rows = 3 if line.level in {"warning", "error"} else 2 if width < NARROW else 1
    return tuple(
        cut(row, width) for row in paragraph(stamp, Text(line.text, mark.style), width, min(rows, room))
    )
