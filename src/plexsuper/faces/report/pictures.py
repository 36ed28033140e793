"""The pictures of a report as SVG: strips of time and curves, stretched to whatever width there is.

Only shapes are drawn; words stand beside them as HTML, so that they keep their size on a phone and on paper.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from plexsuper.faces.numbers import clock, count, duration, rate, size
from plexsuper.faces.report.facts import Story, duration_of
from plexsuper.faces.report.markup import Markup, el
from plexsuper.faces.vocabulary import MOUNT

_WIDTH: Final = 1000.0
_HEIGHT: Final = 240.0
_THINNEST: Final = 1.5
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in one colour, and what a reader who points at it is told."""

    start: float
    end: float
    look: str
    told: str


def strip(stretches: Iterable[Stretch], until: float, told: str) -> Markup:
    """Return *stretches* as one strip that is *until* seconds long; *told* is what it says to who cannot see it."""
    scale = _WIDTH / max(until, 0.001)
    rects = []
    for stretch in stretches:
        x = min(stretch.start * scale, _WIDTH - _THINNEST)
        width = max(_THINNEST, (stretch.end - stretch.start) * scale)
        title = el("title", stretch.told)
        rects.append(el("rect", title, x=x, y=0, width=width, height=10, class_=stretch.look))
    box = f"0 0 {_WIDTH:.0f} 10"
    return el(
        "svg", rects, class_="strip", viewBox=box, preserveAspectRatio="none", role="img", aria_label=told
    )


def ticks(until: float) -> Markup:
    """Return the words below a strip or a curve: evenly spaced times of the run."""
    times = [until * tick / _TICKS for tick in range(_TICKS + 1)]
    return el("div", [el("span", clock(time)) for time in times], class_="ticks", aria_hidden="true")


def timeline(story: Story) -> list[Markup]:
    """Return the rows of the whole run: its stages, each of its sections, the storage, and Plex standing still."""
    until = duration_of(story)
    rows = [_row("stages", _stages(story), until)]
    rows += [
        _row(section["title"], _phases(section, until), until)
        for section in story["sections"]
        if section["phases"]
    ]
    return [*rows, *storage(story), ticks(until)]


def storage(story: Story) -> list[Markup]:
    """Return the rows of the storage's health and of Plex standing still."""
    until, mount = duration_of(story), story["mount"]
    rows = [_row("storage", [_state(span, until) for span in mount["spans"]], until)]
    if mount["frozen"]:
        rows.append(_row("Plex frozen", [_state(span, until) for span in mount["frozen"]], until))
    return rows


def curves(story: Story) -> list[Markup]:
    """Return a figure for each curve of progress that rises, then latency, processors and memory."""
    rising = (c for c in story["curves"].values() if len({value for _, value in c["points"]}) > 1)
    figures = [_progress(curve) for curve in rising]
    until = duration_of(story)
    latency = story["mount"]["latency"]
    if len(latency) > 1:
        figures.append(_told_now_and_then("Latency of the storage", latency, until))
    container = story["container"]
    if container is not None and len(container["cpus"]) > 1:
        figures.append(_measured("Processors used by Plex", container["cpus"], until, lambda n: f"{n:.1f}"))
        figures.append(_measured("Memory used by Plex", container["memory"], until, lambda n: size(round(n))))
    return figures


def _row(name: str, stretches: list[Stretch], until: float) -> Markup:
    told = "; ".join(stretch.told for stretch in stretches[:40])
    return el(
        "div", el("span", name, class_="name"), strip(stretches, until, f"{name}: {told}"), class_="row"
    )


def _stages(story: Story) -> list[Stretch]:
    until = duration_of(story)
    stretches = []
    for number, stage in enumerate(story["stages"]):
        end = until if stage["end"] is None else stage["end"]
        told = f"{stage['name']} {duration(end - stage['start'])}"
        stretches.append(Stretch(stage["start"], end, f"stage{number % 2}", told))
    for start, end, why in story["run"]["gaps"]:
        stretches.append(Stretch(start, end, "gap", f"interrupted for {duration(end - start)}: {why}"))
    return stretches


def _phases(section: dict[str, Any], until: float) -> list[Stretch]:
    stretches = []
    for phase in section["phases"]:
        end = until if phase["end"] is None else phase["end"]
        told = f"{phase['name']} {phase['words']} after {duration(end - phase['start'])}"
        stretches.append(Stretch(phase["start"], end, phase["phase"], told))
    return stretches


def _state(span: Sequence[Any], until: float) -> Stretch:
    start, end, state = span
    end = until if end is None else end
    return Stretch(start, end, state, f"{MOUNT.get(state, state)} {duration(end - start)}")


def _progress(curve: dict[str, Any]) -> Markup:
    points = curve["points"]
    start, end = points[0][0], points[-1][0]
    top = max(curve["total"] or 0, *(value for _, value in points), 1)
    done = f"{count(points[-1][1])}" + (f" of {count(curve['total'])}" if curve["total"] else "")
    speed = (points[-1][1] - points[0][1]) / (end - start) if end > start else 0.0
    facts = [done, duration(end - start), *([rate(speed)] if speed > 0 else [])]
    line = _line([(t, value) for t, value in points], start, end, top)
    drawn = _svg([el("polyline", points=line, class_=f"line {curve['phase']}")], ", ".join(facts))
    return _figure(f"{curve['title']}: {curve['name']}", ", ".join(facts), drawn, start, end)


def _measured(name: str, buckets: list[list[float]], until: float, say: Callable[[float], str]) -> Markup:
    top = max(bucket[2] for bucket in buckets) or 1.0
    mean = sum(bucket[1] for bucket in buckets) / len(buckets)
    told = f"{say(mean)} on average, {say(top)} at most"
    most = _line([(t, high) for t, _, high in buckets], 0.0, until, top)
    line = _line([(t, middle) for t, middle, _ in buckets], 0.0, until, top)
    shapes = [
        el("polyline", points=most, class_="line most"),
        el("polyline", points=line, class_="line mean"),
    ]
    return _figure(name, told, _svg(shapes, told), 0.0, until)


def _told_now_and_then(name: str, buckets: list[list[float]], until: float) -> Markup:
    """A figure of what is only known at some times: a line between them would say what nobody has seen."""
    top = max(bucket[2] for bucket in buckets) or 1.0
    told = f"{duration(min(bucket[1] for bucket in buckets))} at least, {duration(top)} at most"
    places = ((t / max(until, 0.001) * _WIDTH, _HEIGHT * (1 - 0.96 * high / top)) for t, _, high in buckets)
    stems = " ".join(f"M{x:.1f},{_HEIGHT:.0f}V{y:.1f}" for x, y in places)
    return _figure(name, told, _svg([el("path", d=stems, class_="line mean")], told), 0.0, until)


def _line(points: list[tuple[float, float]], start: float, end: float, top: float) -> str:
    """The points of a line; one that steps keeps its height until the next point, for nothing was seen in between."""
    wide = max(end - start, 0.001)
    placed = [((t - start) / wide * _WIDTH, _HEIGHT * (1 - 0.96 * value / top)) for t, value in points]
    kept = [placed[0], *(b for a, b in pairwise(placed) if a != b)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in kept)


def _svg(shapes: list[Markup], told: str) -> Markup:
    box = f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"
    return el(
        "svg", shapes, class_="curve", viewBox=box, preserveAspectRatio="none", role="img", aria_label=told
    )


def _figure(name: str, told: str, drawn: Markup, start: float, end: float) -> Markup:
    caption = el("figcaption", el("b", name), " ", el("span", told))
    times = el("div", el("span", clock(start)), el("span", clock(end)), class_="ticks", aria_hidden="true")
    return el("figure", caption, drawn, times)
