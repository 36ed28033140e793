"""Shows what preflight found to a person: one line each, with the remedy below what needs one."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from plexsuper.events import PreflightFinding
from plexsuper.faces.plain import plain

_MARKS: Final = {"ok": "ok", "warning": "warning", "error": "ERROR"}
_COLOURS: Final = {"ok": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[1;31m"}
_PLAIN: Final = "\x1b[0m"
_LEAST_WIDTH: Final = 40


def checklist(findings: Sequence[PreflightFinding], *, width: int, colour: bool) -> Iterator[str]:
    """Yield the lines of a table of *findings*, no wider than *width* where its words allow it; a summary ends it."""
    marks = max((len(mark) for mark in _MARKS.values()), default=0)
    subjects = max((len(plain(finding.subject)) for finding in findings), default=0)
    indent = marks + subjects + 4
    text_width = max(width - indent, _LEAST_WIDTH)
    for finding in findings:
        mark = _MARKS[finding.severity].ljust(marks)
        head = f"{_COLOURS[finding.severity]}{mark}{_PLAIN}" if colour else mark
        lines = textwrap.wrap(
            plain(finding.message), text_width, break_long_words=False, break_on_hyphens=False
        )
        if finding.remedy:
            lines += textwrap.wrap(
                f"-> {plain(finding.remedy)}", text_width, break_long_words=False, break_on_hyphens=False
            )
        yield f"{head}  {plain(finding.subject).ljust(subjects)}  {lines[0] if lines else ''}".rstrip()
        yield from (" " * indent + line for line in lines[1:])
    yield ""
    yield summary(findings)


def summary(findings: Sequence[PreflightFinding]) -> str:
    """Say in one line whether a run may start."""
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    hints = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if not errors:
        return f"Ready to run{hints}."
    return f"Not ready: {errors} error{'s' if errors > 1 else ''}{hints}."
