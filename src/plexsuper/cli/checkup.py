"""`plexsuper check`: preflight alone, as a table for people or as one JSON object for scripts."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import anyio
import typer

from plexsuper.actions.preflight import examine, failure
from plexsuper.config import Settings
from plexsuper.errors import ExitCode, StateError
from plexsuper.events import PreflightFinding
from plexsuper.faces.checklist import checklist
from plexsuper.record import look_back
from plexsuper.redact import Redactor
from plexsuper.storage_settings import probe_of

_NEXT: Final = "Next: `plexsuper run --dry-run`, with the same options, shows what a run would do."


def check_up(settings: Settings, *, as_json: bool) -> int:
    """Look at everything that a run needs, print what was found, and return the exit code."""
    findings = anyio.run(_examine, settings, _injected(settings), backend_options={"use_uvloop": True})
    error = failure(findings)
    code = ExitCode.DONE if error is None else error.exit_code
    text = _as_json(settings, findings, code) if as_json else _as_table(findings)
    # Names of files need not be UTF-8, but the output is.
    shown = Redactor(settings.secrets())(text).encode("utf-8", "backslashreplace").decode()
    typer.echo(shown)
    return int(code)


def _injected(settings: Settings) -> bool:
    """Whether the run that would go on has put the archive in place."""
    try:
        past, _ = look_back(settings)
    except StateError:  # the finding about state_dir tells
        return False
    return past is not None and past.injected


async def _examine(settings: Settings, injected: bool) -> tuple[PreflightFinding, ...]:
    async with aclosing(probe_of(settings)) as probe:
        return await examine(settings, probe=probe, injected=injected)


def _as_json(settings: Settings, findings: Sequence[PreflightFinding], code: ExitCode) -> str:
    return json.dumps(
        {
            "ready": code is ExitCode.DONE,
            "exit_code": int(code),
            "findings": [
                {"severity": f.severity, "subject": f.subject, "message": f.message, "remedy": f.remedy}
                for f in findings
            ],
            "settings": settings.public(),
        },
        indent=2,
        ensure_ascii=False,
    )


def _as_table(findings: Sequence[PreflightFinding]) -> str:
    width = shutil.get_terminal_size((120, 24)).columns
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    lines = [*checklist(findings, width=width, colour=colour)]
    ready = not any(finding.severity == "error" for finding in findings)
    return "\n".join([*lines, _NEXT] if ready else lines)
