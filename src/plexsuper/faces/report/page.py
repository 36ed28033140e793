"""The report as one HTML file that needs nothing else: no script, nothing loaded, readable on a phone and on paper."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from plexsuper.faces.numbers import change, clock, count, duration
from plexsuper.faces.report import facts
from plexsuper.faces.report.facts import PARTS, Price, Story
from plexsuper.faces.report.markup import Child, Markup, el
from plexsuper.faces.report.pictures import curves, timeline
from plexsuper.faces.vocabulary import OUTCOMES

_CSS: Final = files(__package__).joinpath("report.css").read_text("utf-8")
_HASH: Final = b64encode(sha256(_CSS.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
_MANY: Final = 50
"""Rows above which a table is folded away."""

_GOOD: Final = frozenset({"done", "planned", "tidied"})
_LEGEND: Final = (
    *(("scan", "scan"), ("analyze", "analysis"), ("refresh", "refresh"), ("sonic", "sonic")),
    *(
        ("healthy", "storage healthy"),
        ("suspected", "suspected"),
        ("lost", "lost"),
        ("frozen", "Plex frozen"),
    ),
)


def html(story: Story, price: Price | None = None) -> str:
    """Return the whole file; *price* is what an hour costs, None for no estimate."""
    run = story["run"]
    title = f"plexsuper: {run['words'] or 'not ended'}"
    head = (
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{title} ({run['id']})"),
        el("style", Markup(_CSS)),
    )
    blocks = (_head, _facts, _attention, _plan, _timeline, _times, _curves, _incidents, _removals, _failures)
    body = el("main", [block(story, price) for block in (*blocks, _library, _events)])
    return f"<!doctype html>\n{el('html', el('head', head), el('body', body), lang='en')}\n"


def _head(story: Story, _: Price | None) -> Child:
    run = story["run"]
    look = "good" if run["verdict"] in _GOOD else "warn" if run["verdict"] in {None, "set_aside"} else "bad"
    words = run["words"] or "the run has not ended"
    return [
        el("h1", "plexsuper: ", el("span", words, class_=look)),
        el("p", run["detail"]) if run["detail"] else None,
        el("p", f"Run {run['id']}, profile {run['profile'] or 'unknown'}", class_="soft"),
    ]


def _facts(story: Story, price: Price | None) -> Child:
    run, seconds = story["run"], facts.duration_of(story)
    totals = facts.totals(facts.time_table(story), facts.driven(story))
    lost = story["mount"]["totals"].get("lost", 0)
    told = [
        ("started", (run["started"] or "unknown")[:19].replace("T", " ") + " UTC"),
        ("took", duration(seconds)),
        *([("interrupted", told)] if (told := facts.interruptions(story)) else []),
        ("Plex was busy for", duration(totals["busy"])),
        ("stalled for", duration(totals["stalled"])),
        ("Plex frozen for", duration(facts.frozen(story))),
        ("storage lost for", duration(lost)),
        ("warnings and errors", count(run["warnings"])),
    ]
    if run["exit_code"] is not None:
        told.append(("exit code", str(run["exit_code"])))
    if price is not None:
        told.append((f"cost at {price.amount(price.hourly)} an hour", price.of(facts.driven(story))))
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return [
        el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in told]),
        el("p", versions, class_="soft"),
    ]


def _attention(story: Story, _: Price | None) -> Child:
    wrong = [s for s in story["sections"] if s["outcome"] not in {None, "done", "skipped"}]
    if not wrong:
        return None
    items = [
        el(
            "li",
            el("b", s["title"]),
            f": {OUTCOMES[s['outcome']]}",
            f"; {s['reason']}" if s["reason"] else "",
        )
        for s in wrong
    ]
    return [el("h2", "Sections that are not done"), el("ul", items)]


def _plan(story: Story, _: Price | None) -> Child:
    steps = story["run"]["steps"]
    return [el("h2", "A run would"), el("ol", [el("li", step) for step in steps])] if steps else None


def _timeline(story: Story, _: Price | None) -> Child:
    legend = [*_LEGEND, *([("gap", "interrupted")] if story["run"]["gaps"] else [])]
    keys = [el("li", _swatch(look), " ", word) for look, word in legend]
    rows = el("div", timeline(story), class_="timeline")
    return [el("h2", "The run"), rows, el("ul", keys, class_="legend")]


def _swatch(look: str) -> Markup:
    return el("svg", el("rect", width=10, height=10, class_=look), viewBox="0 0 10 10", aria_hidden="true")


def _times(story: Story, price: Price | None) -> Child:
    rows = facts.time_table(story)
    if not rows:
        return None
    seconds = facts.driven(story)
    totals = facts.totals(rows, seconds)
    head = ["section", "phase", *PARTS, "total", *(["cost"] if price else []), "tries", "added", "outcome"]
    body = [
        [
            row.section,
            row.name,
            *(duration(getattr(row, part)) for part in PARTS),
            duration(row.total),
            *([price.of(row.total)] if price else []),
            count(row.tries),
            "" if row.added is None else count(row.added),
            f"{row.words}: {row.note}" if row.note else row.words,
        ]
        for row in rows
    ]
    foot = [
        ["all phases", "", *(duration(totals[part]) for part in PARTS), duration(seconds - totals["other"])],
        ["outside of phases", "", "", "", "", facts.frozen_between(story, totals), duration(totals["other"])],
    ]
    if price:
        foot = [[*foot[0], price.of(seconds - totals["other"])], [*foot[1], price.of(totals["other"])]]
    caption = "What the time went into; waiting is the quiet time at the end of a phase"
    numbers = range(2, len(head) - 1)
    return [el("h2", "Time"), _table(caption, head, body, numbers=numbers, files=(len(head) - 1,), foot=foot)]


def _curves(story: Story, _: Price | None) -> Child:
    figures = curves(story)
    return [el("h2", "Progress"), el("div", figures, class_="figures")] if figures else None


def _incidents(story: Story, _: Price | None) -> Child:
    incidents = story["incidents"]
    if not incidents["list"]:
        return [el("h2", "Faults"), el("p", "There were none.")]
    more = incidents["before"]
    items: list[Child] = (
        [el("p", f"{count(more)} earlier ones are not listed.", class_="soft")] if more else []
    )
    for incident in incidents["list"]:
        deeds = [el("li", f"{clock(t)} {text}") for t, text in incident["deeds"]]
        lasted = el("span", facts.lasted(incident), class_="soft")
        items.append(el("p", el("b", clock(incident["start"])), f" {incident['said']}", lasted))
        items.append(el("ol", deeds, class_="deeds") if deeds else None)
    return [el("h2", "Faults, and what was done"), items]


def _removals(story: Story, _: Price | None) -> Child:
    told = facts.verified(story)
    if not told:
        return [el("h2", "Removed entries"), el("p", "There were none.")]
    blocks: list[Child] = []
    for one in told:
        summary = ", ".join(f"{count(number)} {word}" for word, number in facts.fates(one["counts"]))
        rows = [[r["title"], r["file"], facts.FATES[r["fate"]]] for r in one["removals"]]
        name = one["title"] or "the run"
        left = sum(one["counts"].values()) - len(rows)
        blocks.append(el("p", el("b", name), f": {summary}"))
        table = _table(f"Removed from {name}", ["entry", "file", "what became of it"], rows, files=(1,))
        folded = el("details", el("summary", f"{count(len(rows))} by name"), table)
        blocks.append((folded if len(rows) > _MANY else table) if rows else None)
        if left > 0:
            blocks.append(el("p", f"{count(left)} more are in {one['report'] or 'the files of the run'}."))
    return [el("h2", "Removed entries"), blocks]


def _failures(story: Story, _: Price | None) -> Child:
    failures, left = story["failures"], facts.not_analyzed(story)
    if not failures["list"] and not left:
        return None
    notes = [el("p", line) for line in left]
    rows = [[f["section"], f["path"], f["reason"]] for f in failures["list"]]
    table = (
        _table(
            "Files that are not analysed, or could not be read", ["section", "file", "why"], rows, files=(1,)
        )
        if rows
        else None
    )
    more = el("p", f"{count(failures['more'])} more are not listed.") if failures["more"] else None
    return [el("h2", "Not analysed, or not readable"), notes, table, more]


def _library(story: Story, _: Price | None) -> Child:
    kinds, statistics = facts.kinds(story), story["statistics"]
    if not kinds:
        return None
    body = [
        [
            kind.replace("_", " "),
            "·" if before is None else count(before),
            count(after),
            change(after - (before or 0)),
            count(trash) if trash else "",
        ]
        for kind, before, after, trash in kinds
    ]
    doubts = [
        el("p", f"The numbers {when} the run are not reliable: storage was unstable.", class_="warn")
        for when in ("before", "after")
        if statistics[when] is not None and not statistics[when]["reliable"]
    ]
    head = ["kind", "before", "after", "change", "in the trash"]
    return [el("h2", "Library"), _table("Entries by kind", head, body, numbers=range(1, 5)), doubts]


def _events(story: Story, _: Price | None) -> Child:
    lines = [line for line in story["events"] if not line["minor"]]
    rows = [[clock(line["t"]), line["level"], line["text"]] for line in lines]
    table = _table("The last events that matter", ["time", "level", "what happened"], rows, files=(2,))
    return [el("h2", "Events"), el("details", el("summary", f"{count(len(rows))} events"), table)]


def _table(
    caption: str,
    head: Sequence[str],
    body: Sequence[Sequence[Any]],
    *,
    numbers: Sequence[int] = (),
    files: Sequence[int] = (),
    foot: Sequence[Sequence[str]] = (),
) -> Markup:
    """A table whose columns *numbers* are set to the right; those in *files* may be broken anywhere."""
    looks = {**dict.fromkeys(numbers, "number"), **dict.fromkeys(files, "file")}

    def row(cells: Sequence[Any]) -> Markup:
        first = el("th", cells[0], scope="row")
        return el("tr", first, [el("td", c, class_=looks.get(n)) for n, c in enumerate(cells[1:], start=1)])

    names = [el("th", name, scope="col", class_=looks.get(n)) for n, name in enumerate(head)]
    parts = [
        el("caption", caption),
        el("thead", el("tr", names)),
        el("tbody", [row(cells) for cells in body]),
    ]
    parts += [el("tfoot", [row(cells) for cells in foot])] if foot else []
    return el("div", el("table", parts), class_="wide", tabindex="0", role="region", aria_label=caption)
