"""How exactly a run tells its figures: in thousandths, so seconds in milliseconds; what is smaller keeps three digits."""

from dataclasses import fields, is_dataclass, replace
from functools import cache
from math import isfinite
from typing import Any, TypeVar, get_args, get_type_hints

T = TypeVar("T")

_FINE = 0.1


def rounded(fact: T) -> T:
    """Return *fact*, a dataclass, with its numbers rounded wherever its types say float: what was set is told as it was set."""
    shown: T = _rounded(fact)
    return shown


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return _number(value)
        case tuple():
            return tuple(map(_rounded, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            inside = {name: getattr(value, name) for name in _names(type(value))}
            changed = {name: told for name, was in inside.items() if (told := _rounded(was)) != was}
            return replace(value, **changed) if changed else value
        case _:
            return value


def _number(value: float) -> float:
    """Return *value* in thousandths; a latency of a tenth of a millisecond must not become 0."""
    if not isfinite(value):
        return value
    return round(value, 3) if abs(value) >= _FINE else float(f"{value:.3g}")


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    """Return the fields of *cls* in which there may be a float, however deep; most facts have none, and cost nothing."""
    hints = get_type_hints(cls)
    return tuple(field.name for field in fields(cls) if _may_hold_one(hints[field.name]))


def _may_hold_one(hint: Any) -> bool:
    if isinstance(hint, type) and is_dataclass(hint):
        return bool(_names(hint))
    return hint is float or any(map(_may_hold_one, get_args(hint)))
