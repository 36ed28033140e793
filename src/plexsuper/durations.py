"""Durations as people write them: `90`, `"90s"`, `"15m"`, `"1h30m"`, `"3d"`; inside they are seconds as float."""

import math
import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)\s*")


def parse_duration(value: object) -> float:
    """Return *value* in seconds: a number, a numeric text, or numbers with units; raise `ValueError` otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        seconds = _parse_text(value.strip().lower())
    else:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(
            f"{value!r} is not a duration; write seconds (90) or a text such as 90s, 15m or 1h30m"
        )
    return seconds


def spell_duration(seconds: float) -> str:
    """Return *seconds* in the largest unit that needs no fraction: 14400 is `4 h`, 150 is `150 s`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _parse_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        parts = _PART.findall(text)
        if not parts or _PART.sub("", text):
            return math.nan
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
