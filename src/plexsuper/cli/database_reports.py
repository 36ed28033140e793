"""Reads back what `plexsuper db check --json` has written, so that a repair need not check once more."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from plexsuper.database.check.report import CheckReport, Finding, Unjudged
from plexsuper.database.check.unchanged import file_state
from plexsuper.errors import SettingsError


def earlier_reports(file: Path) -> Callable[[Path], CheckReport | None]:
    """Return what gives the report in *file* on a database, as long as that is in the very state that was checked.

    Raises:
        SettingsError: *file* cannot be read, or is nothing that `db check --json` writes.
    """
    reports = _read(file)

    def find(path: Path) -> CheckReport | None:
        state = file_state(path)
        return next((replace(report, path=path) for report in reports if report.state == state), None)

    return find


def _read(file: Path) -> tuple[CheckReport, ...]:
    try:
        document = json.loads(file.read_bytes())
        # Where one of two databases could not be judged, the reports stand beside the error
        return tuple(map(_report, document["reports"] if isinstance(document, dict) else document))
    except OSError as error:
        raise SettingsError(f"--checked {file}: it cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            f"--checked {file}: this is not what `plexsuper db check --json` writes; leave it out, or write it anew"
        ) from error


def _report(raw: dict[str, Any]) -> CheckReport:
    values = {field.name: raw[field.name] for field in fields(CheckReport)}
    return CheckReport(
        **values
        | {
            "path": Path(raw["path"]),
            "findings": tuple(
                Finding(**finding | {"pages": tuple(finding["pages"])}) for finding in raw["findings"]
            ),
            "unjudged": tuple(Unjudged(**item) for item in raw["unjudged"]),
            "notes": tuple(raw["notes"]),
            "state": tuple((inode, size, changed) for inode, size, changed in raw["state"]),
        }
    )
