"""What the findings mean for a run: the error it would end with, or none."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from plexsuper.actions.preflight.seen import ACCESS, FROZEN, SECTIONS
from plexsuper.errors import PlexsuperError, PreflightError, ServerError, SettingsError
from plexsuper.events import PreflightFinding

_OTHERS: Final[Mapping[str, type[PlexsuperError]]] = MappingProxyType(
    {SECTIONS: SettingsError, ACCESS: ServerError}
)
"""What is said of a subject when nothing else is wrong: a run that came so far would say the same."""


def failure(findings: Sequence[PreflightFinding]) -> PlexsuperError | None:
    """Return what a run would end with: every error among *findings* with its remedy; None when nothing is in its way.

    It is a `SettingsError` or a `ServerError` when nothing is wrong but the names of the wanted sections or the token,
    else a `PreflightError`. That Plex stands still is said as well: it stays so when no run begins.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return None
    count = "One thing is" if len(errors) == 1 else f"{len(errors)} things are"
    message = f"{count} in the way of a run; nothing was started:\n\n{_lines(errors)}"
    if frozen := [finding for finding in findings if finding.subject == FROZEN and finding.remedy]:
        message += f"\n\nPlex stands still meanwhile:\n\n{_lines(frozen)}"
    subjects = {error.subject for error in errors}
    kind = _OTHERS.get(subjects.pop(), PreflightError) if len(subjects) == 1 else PreflightError
    return kind(message)


def require_no_error(findings: Sequence[PreflightFinding]) -> None:
    """Raise what `failure` returns."""
    if (error := failure(findings)) is not None:
        raise error


def _lines(findings: Sequence[PreflightFinding]) -> str:
    return "\n".join(
        f"  {finding.subject}: {finding.message}\n    -> {finding.remedy}" for finding in findings
    )
