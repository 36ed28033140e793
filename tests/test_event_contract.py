"""What a reader of version 1 of the event stream relies on stays: types, fields and their kinds only grow."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexsuper.stream import VERSION, schema

CONTRACT = Path(__file__).resolve().parents[1] / f"docs/events-v{VERSION}.schema.json"

Schema = dict[str, Any]
KINDS = ("type", "const", "pattern", "$ref", "format", "minimum")


def breaks(old: Schema, new: Schema, where: str = "") -> Iterator[str]:
    """Yield everything in *new* at which a reader that was written for *old* would go wrong."""
    yield from _itself(old, new, where)
    for name, field in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{where}.{name}: gone"
        else:
            yield from breaks(field, new["properties"][name], f"{where}.{name}")
    for part in ("items", "additionalProperties"):
        before, after = old.get(part), new.get(part)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from breaks(before, after, f"{where}[]")
        elif before != after:
            yield f"{where}: {part} was {before}, is {after}"
    if where:  # the kinds of the whole line are the events
        yield from _kinds(_ways(old), _ways(new), where)


def _ways(schema_: Schema) -> list[Schema]:
    found: list[Schema] = schema_.get("anyOf") or schema_.get("oneOf") or []
    return found


def _itself(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for kind in KINDS:
        if old.get(kind) != new.get(kind):
            yield f"{where}: {kind} was {old.get(kind)}, is {new.get(kind)}"
    if gone := [value for value in old.get("enum", ()) if value not in new.get("enum", ())]:
        yield f"{where}: no more {gone}"
    if missing := sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{where}: not always there: {missing}"


def _kinds(old: list[Schema], new: list[Schema], where: str) -> Iterator[str]:
    if len(old) != len(new):
        yield f"{where}: one of {len(old)} kinds, is one of {len(new)}"
        return
    for before, after in zip(old, new, strict=True):
        yield from breaks(before, after, where)


def broken(old: Schema, new: Schema) -> list[str]:
    """Return what breaks between two whole schemas of the stream."""
    found = [*breaks(old, new)]
    types = {event["properties"]["type"]["const"]: event for event in new["oneOf"]}
    for event in old["oneOf"]:
        name = event["properties"]["type"]["const"]
        found += [*breaks(event, types[name], name)] if name in types else [f"{name}: gone"]
    for name, value in old["$defs"].items():
        found += [*breaks(value, new["$defs"][name], name)] if name in new["$defs"] else [f"{name}: gone"]
    return found


def test_no_reader_of_the_stored_contract_goes_wrong():
    assert broken(json.loads(CONTRACT.read_text()), schema()) == []


def test_the_stored_contract_is_up_to_date():
    assert json.loads(CONTRACT.read_text()) == schema(), f"run: plexsuper schema > docs/{CONTRACT.name}"


def _rename(new: Schema) -> None:
    fields = new["$defs"]["MountLost"]["properties"]
    fields["why"] = fields.pop("detail")


def _retype(new: Schema) -> None:
    new["$defs"]["RunHeartbeat"]["properties"]["uptime"]["type"] = "string"


def _forget(new: Schema) -> None:
    new["oneOf"] = [event for event in new["oneOf"] if event["properties"]["type"]["const"] != "mount.lost"]


def _narrow(new: Schema) -> None:
    new["$defs"]["Phase"]["enum"].remove("sonic")


def _widen(new: Schema) -> None:
    new["$defs"]["SectionPhaseProgressed"]["properties"]["percent"]["anyOf"].append({"type": "string"})


def _loosen(new: Schema) -> None:
    new["$defs"]["MountLost"]["required"].remove("path")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_rename, "MountLost.detail: gone"),
        (_retype, "RunHeartbeat.uptime: type was number, is string"),
        (_forget, "mount.lost: gone"),
        (_narrow, "Phase: no more ['sonic']"),
        (_widen, "SectionPhaseProgressed.percent: one of 2 kinds, is one of 3"),
        (_loosen, "MountLost: not always there: ['path']"),
    ],
)
def test_a_change_at_which_a_reader_goes_wrong_is_found(change: Callable[[Schema], None], found: str):
    new = copy.deepcopy(schema())
    change(new)
    assert found in broken(schema(), new)


def test_what_is_only_added_breaks_nobody():
    new = copy.deepcopy(schema())
    new["oneOf"].append({"properties": {"type": {"const": "moon.risen"}}})
    new["properties"]["type"]["enum"].append("moon.risen")
    new["$defs"]["MountLost"]["properties"]["moon"] = {"type": "string"}
    new["$defs"]["MountLost"]["required"].append("moon")
    new["$defs"]["Phase"]["enum"].append("dream")
    assert broken(schema(), new) == []
