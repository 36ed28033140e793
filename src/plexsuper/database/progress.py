"""How far a long piece of database work has come, told by the worker to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """*done* of *total* *unit*s of the work called *step*; *total* is `None` while it is not known."""

    step: str
    done: int
    total: int | None
    unit: str


ProgressCallback = Callable[[Progress], None]
