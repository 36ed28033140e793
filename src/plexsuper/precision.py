"""How exactly plexsuper tells a number: in thousandths, so seconds in milliseconds; what is smaller keeps three digits."""

from math import isfinite
from typing import Final

_FINE: Final = 0.1


def told(value: float) -> float:
    """Return *value* in thousandths; a latency of a tenth of a millisecond must not become 0."""
    if not isfinite(value):
        return value
    return round(value, 3) if abs(value) >= _FINE else float(f"{value:.3g}")
