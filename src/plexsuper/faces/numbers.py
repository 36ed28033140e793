"""Numbers as people read them; every face writes them the same way."""

from decimal import ROUND_HALF_UP, Decimal


def count(number: int) -> str:
    """Return *number* with its thousands apart: `1,234`."""
    return f"{number:,}"


def number(amount: int, noun: str, many: str = "") -> str:
    """Return an amount of things: `1 file`, `1,234 files`; *many* is the plural that is not simply *noun* and s."""
    return f"{count(amount)} {noun if amount == 1 else many or f'{noun}s'}"


def warned(amount: int) -> str:
    """Return how many events were warnings or errors: `1 warning or error`, `3 warnings and errors`."""
    return number(amount, "warning or error", "warnings and errors")


def change(number: int) -> str:
    """Return a difference with its sign: `+6`, `-3`; `·` for none."""
    if number == 0:
        return "·"
    return f"{'+' if number > 0 else '-'}{abs(number):,}"


def duration(seconds: float) -> str:
    """Return a length of time, two units at most: `12 ms`, `0.4 s`, `12 s`, `7 min 02 s`, `1 h 03 m`, `2 d 05 h`."""
    if seconds < 0.0005:
        return "0 s"
    if seconds < 0.0995:
        return f"{int(_rounded(seconds * 1000))} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = int(_rounded(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} m" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def size(number: int) -> str:
    """Return a number of bytes as people read it: `640 B`, `1.5 MB`, `12 GB` (powers of ten)."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"


def clock(seconds: float) -> str:
    """Return a running time that may tick: `0:00:07`, `71:04:59`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"


def rate(per_second: float) -> str:
    """Return a speed in the unit that has digits to show: `35/s`, `2.5/s`, `42/min`, `12/h`."""
    for unit, factor in (("s", 1), ("min", 60)):
        if per_second * factor >= 1:
            return f"{_short(per_second * factor)}/{unit}"
    return f"{_short(per_second * 3600)}/h"


def eta(seconds: float) -> str:
    """Return how long something may still take, no more exact than it can be: `≈ 14 min`."""
    if seconds < 10:
        return "≈ a few s"
    if seconds < 90:
        return f"≈ {int(_rounded(seconds / 10)) * 10} s"
    if seconds < 5400:
        return f"≈ {int(_rounded(seconds / 60))} min"
    hours = seconds / 3600
    if hours < 48:
        return f"≈ {_short(hours)} h"
    return f"≈ {_short(hours / 24)} d"


def percent(value: float) -> str:
    """Return a share in whole percent, rounded down: 100 % is said only of what is complete."""
    return f"{int(min(max(value, 0.0), 100.0))} %"


def _short(number: float) -> str:
    if number < 9.95:
        return f"{number:.1f}".removesuffix(".0")
    return count(int(_rounded(number)))


def _rounded(number: float) -> Decimal:
    return Decimal(number).quantize(Decimal(1), ROUND_HALF_UP)
