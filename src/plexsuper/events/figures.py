"""Rounds the figures of a fact to what plexsuper tells of them."""

from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from plexsuper.precision import told

T = TypeVar("T")


def rounded(fact: T) -> T:
    """Return *fact*, a dataclass, with its numbers rounded wherever its types say float: what was set is told as it was set."""
    shown: T = _rounded(fact)
    return shown


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return told(value)
        case tuple():
            return tuple(map(_rounded, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            inside = {name: getattr(value, name) for name in _names(type(value))}
            changed = {name: new for name, was in inside.items() if (new := _rounded(was)) != was}
            return replace(value, **changed) if changed else value
        case _:
            return value


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    """Return the fields of *cls* in which there may be a float, however deep; most facts have none, and cost nothing."""
    hints = get_type_hints(cls)
    return tuple(field.name for field in fields(cls) if _may_hold_one(hints[field.name]))


def _may_hold_one(hint: Any) -> bool:
    if isinstance(hint, type) and is_dataclass(hint):
        return bool(_names(hint))
    return hint is float or any(map(_may_hold_one, get_args(hint)))
