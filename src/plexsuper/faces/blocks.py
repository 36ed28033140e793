"""Building blocks of a screen: rows that fit their width whatever is in them."""

from rich.console import Console
from rich.text import Text

from plexsuper.faces import marks
from plexsuper.faces.numbers import duration
from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import OUTCOMES, SHORT
from plexsuper.terms import Outcome, SectionReport

_WRAPPING = Console(width=80, file=None, quiet=True)


def cut(row: Text, width: int) -> Text:
    """Return *row* ending in `…` where it is wider than *width* columns."""
    row.truncate(width, overflow="ellipsis")
    row.no_wrap = True
    return row


def sides(left: Text, right: Text, width: int) -> Text:
    """Return a row with *left* and *right* at the edges; where both do not fit, *left* is cut."""
    right.truncate(width)
    room = max(0, width - right.cell_len - 2)
    left.truncate(room, overflow="ellipsis")
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right)


def bar(percent: float, width: int, style: str) -> Text:
    """Return a bar of *width* columns, filled to *percent*."""
    halves = int(min(max(percent, 0.0), 100.0) * width * 2 / 100)
    full, half = divmod(halves, 2)
    return Text.assemble(("━" * full + "╸" * half, style), ("─" * (width - full - half), "dim"))


def paragraph(lead: Text, text: Text, width: int, rows: int) -> list[Text]:
    """Return *text* behind *lead*, in *rows* rows at most, the later ones set in by the width of *lead*."""
    room = max(8, width - lead.cell_len)
    lines = list(text.wrap(_WRAPPING, room))
    for line in lines:
        line.rstrip()
    if len(lines) > rows:
        lines = [*lines[: rows - 1], cut(Text(" ").join(lines[rows - 1 :]), room)]
    indent = Text(" " * lead.cell_len)
    return [Text.assemble(lead if number == 0 else indent, line) for number, line in enumerate(lines)]


def ended(report: SectionReport) -> Text:
    """Return the row of a section that the run is through with: its outcome, its time and its phases."""
    mark = marks.OUTCOMES[report.outcome]
    row = Text.assemble((f"{mark.symbol} ", mark.style), plain(report.section.title))
    row.append(f"  {duration(sum(phase.seconds for phase in report.phases))}", "bold dim")
    if report.outcome is not Outcome.DONE:
        row.append(f"  {OUTCOMES[report.outcome]}", mark.style)
        row.append(f": {plain(report.reason)}" if report.reason else "", "dim")
        return row
    for phase in report.phases:
        row.append(
            f"  {marks.PHASES[phase.phase].symbol} {SHORT[phase.phase]} {duration(phase.seconds)}", "dim"
        )
    return row
