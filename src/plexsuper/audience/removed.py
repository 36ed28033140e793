"""Completes a story with every removed entry by name: events name the first ones only, the file of the run has all."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from plexsuper.faces.plain import plain
from plexsuper.faces.report.facts import Story

MOST: Final = 10_000
"""So many entries of one section are named in a report; it says how many more there are."""

_NAME: Final = "removals.jsonl"


def with_all_removals(story: Story) -> Story:
    """Return *story* with the names in the files that its events tell of, as far as they are there. It blocks."""
    removals = story["removals"]
    complete = [_complete(one) for one in removals["sections"]]
    return {**story, "removals": {**removals, "sections": complete}}


def _complete(told: dict[str, Any]) -> dict[str, Any]:
    path = Path(told["report"])
    if path.name != _NAME or sum(told["counts"].values()) <= len(told["removals"]):
        return told
    try:
        found = list(islice(_of_section(path, told["id"]), MOST))
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):  # gone, or not the file of this run: the first names have to do
        return told
    return {**told, "removals": found} if len(found) > len(told["removals"]) else told


def _of_section(path: Path, section: int) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["section"]["id"] == section:
                yield {"title": plain(row["title"]), "file": plain(row["file"]), "fate": str(row["fate"])}
