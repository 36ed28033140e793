"""How a follower of a run says that it has a fault: once, until it works again."""

from collections.abc import Callable


class Tell:
    """Says what is wrong with the follower *name*."""

    def __init__(self, name: str, tell: Callable[[str, str, float], None]) -> None:
        self._name = name
        self._tell = tell
        self._last = ""

    def __call__(self, fault: str, *, again: float) -> None:
        """Take the *fault* of now, empty for none; it is tried again in *again* seconds, with 0 it is not."""
        if fault and not self._last:
            self._tell(self._name, fault, again)
        self._last = fault
