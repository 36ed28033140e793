"""Proves how the findings of preflight are shown to people."""

from dataclasses import replace

from plexsuper.events import PreflightFinding
from plexsuper.faces.checklist import checklist, summary


def test_the_table_has_one_line_for_each_finding_its_remedy_below_and_a_verdict():
    found = (
        PreflightFinding(severity="ok", subject="python", message="3.11.7"),
        PreflightFinding(
            severity="warning", subject="a", message="one two three four five six seven eight", remedy="do x"
        ),
        PreflightFinding(severity="error", subject="media", message="gone", remedy="mount it"),
    )
    assert list(checklist(found, width=20, colour=False)) == [
        "ok       python  3.11.7",
        "warning  a       one two three four five six seven eight",
        "                 -> do x",
        "ERROR    media   gone",
        "                 -> mount it",
        "",
        "Not ready: 1 error, 1 warning.",
    ]
    assert next(checklist(found, width=80, colour=True)) == "\x1b[32mok     \x1b[0m  python  3.11.7"


def test_the_verdict_counts():
    ok = PreflightFinding(severity="ok", subject="a", message="b")
    bad = replace(ok, severity="error")
    hint = replace(ok, severity="warning")
    assert summary([ok]) == "Ready to run."
    assert summary([ok, hint, hint]) == "Ready to run, 2 warnings."
    assert summary([bad, bad]) == "Not ready: 2 errors."
