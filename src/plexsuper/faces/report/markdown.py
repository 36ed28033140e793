"""The report as Markdown, for a chat, an issue or a wiki."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from plexsuper.faces.numbers import change, clock, count, duration, warned
from plexsuper.faces.report import facts
from plexsuper.faces.report.facts import PARTS, Price, Story
from plexsuper.faces.vocabulary import OUTCOMES

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(story: Story, price: Price | None = None) -> str:
    """Return the whole text; *price* is what an hour costs, None for no estimate."""
    blocks = (_head, _sections, _times, _incidents, _removals, _failures, _library)
    return "\n\n".join(part for block in blocks for part in block(story, price)) + "\n"


def _head(story: Story, price: Price | None) -> Iterator[str]:
    run, seconds = story["run"], facts.duration_of(story)
    yield f"# plexsuper: {_text(run['words'] or 'the run has not ended')}"
    if run["detail"]:
        yield _text(run["detail"])
    told = [
        f"Run `{run['id']}`, profile {_text(run['profile'] or 'unknown')}",
        f"took {duration(seconds)}",
        *([f"interrupted {gaps}"] if (gaps := facts.interruptions(story)) else []),
        warned(run["warnings"]),
        *([f"exit code {run['exit_code']}"] if run["exit_code"] is not None else []),
        *(
            [f"cost {_text(price.of(facts.driven(story)))} at {_text(price.amount(price.hourly))} an hour"]
            if price
            else []
        ),
    ]
    yield " · ".join(told)
    lost = story["mount"]["totals"].get("lost", 0)
    if lost:
        yield f"Storage was lost for {duration(lost)}."
    if still := facts.frozen(story):
        yield f"Plex was frozen for {duration(still)}."


def _sections(story: Story, _: Price | None) -> Iterator[str]:
    wrong = [s for s in story["sections"] if s["outcome"] not in {None, "done", "skipped"}]
    if wrong:
        yield "## Sections that are not done"
        yield "\n".join(
            f"- **{_text(s['title'])}**: {OUTCOMES[s['outcome']]}"
            + (f"; {_text(s['reason'])}" if s["reason"] else "")
            for s in wrong
        )
    if story["run"]["steps"]:
        yield "## A run would"
        yield "\n".join(f"{n}. {_text(step)}" for n, step in enumerate(story["run"]["steps"], start=1))


def _times(story: Story, price: Price | None) -> Iterator[str]:
    rows = facts.time_table(story)
    if rows:
        yield "## Time"
        head = ["section", "phase", *PARTS, "total", *(["cost"] if price else []), "outcome"]
        yield _table(
            head,
            [
                [
                    row.section,
                    row.name,
                    *(duration(getattr(row, part)) for part in PARTS),
                    duration(row.total),
                    *([price.of(row.total)] if price else []),
                    row.words,
                ]
                for row in rows
            ],
            numbers=range(2, len(head) - 1),
        )


def _incidents(story: Story, _: Price | None) -> Iterator[str]:
    yield "## Faults, and what was done"
    incidents = story["incidents"]["list"]
    if not incidents:
        yield "There were none."
        return
    lines = []
    for incident in incidents:
        lines.append(f"- {clock(incident['start'])} {_text(incident['said'])}{facts.lasted(incident)}")
        lines += [f"  - {clock(t)} {_text(text)}" for t, text in incident["deeds"]]
    yield "\n".join(lines)


def _removals(story: Story, _: Price | None) -> Iterator[str]:
    yield "## Removed entries"
    told = facts.verified(story)
    if not told:
        yield "There were none."
    for one in told:
        summary = ", ".join(f"{count(number)} {word}" for word, number in facts.fates(one["counts"]))
        yield f"**{_text(one['title'] or 'the run')}**: {summary}"
        rows = [[r["title"], r["file"], facts.FATES[r["fate"]]] for r in one["removals"]]
        if rows:
            yield _table(["entry", "file", "what became of it"], rows)
        left = sum(one["counts"].values()) - len(rows)
        if left > 0:
            yield f"{count(left)} more are in {_text(one['report'] or 'the files of the run')}."


def _failures(story: Story, _: Price | None) -> Iterator[str]:
    failures, left = story["failures"], facts.not_analyzed(story)
    if failures["list"] or left:
        yield "## Not analysed, or not readable"
    if left:
        yield "\n".join(f"- {_text(line)}" for line in left)
    if failures["list"]:
        yield _table(
            ["section", "file", "why"], [[f["section"], f["path"], f["reason"]] for f in failures["list"]]
        )


def _library(story: Story, _: Price | None) -> Iterator[str]:
    rows = [
        [
            kind.replace("_", " "),
            "·" if before is None else count(before),
            count(after),
            change(after - (before or 0)),
            count(trash) if trash else "",
        ]
        for kind, before, after, trash in facts.kinds(story)
    ]
    if rows:
        yield "## Library"
        yield _table(["kind", "before", "after", "change", "in the trash"], rows, numbers=range(1, 5))


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = ()) -> str:
    line = [
        f"| {' | '.join(head)} |",
        "|" + "|".join("---:" if n in numbers else "---" for n in range(len(head))) + "|",
    ]
    return "\n".join([*line, *(f"| {' | '.join(_text(str(cell)) for cell in row)} |" for row in rows)])


def _text(text: str) -> str:
    """*text* so that nothing in it is taken for Markdown."""
    return _SPECIAL.sub(r"\\\1", text)
