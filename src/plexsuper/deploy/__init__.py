"""Put the library of an archive into another Plex: stopped, exchanged, started, looked at, and put back if it does not live."""

from plexsuper.database.copies.snapshot import Check
from plexsuper.database.progress import ProgressCallback
from plexsuper.deploy.deed import Deed, Say
from plexsuper.deploy.order import KNOWN, START, STOP, URL, Deployment, Order, knowing, starting, stopping

__all__ = [
    "KNOWN",
    "START",
    "STOP",
    "URL",
    "Deployment",
    "Order",
    "deploy",
    "knowing",
    "planned",
    "starting",
    "stopping",
]


def deploy(
    order: Order, *, check: Check | None = None, say: Say, progress: ProgressCallback | None = None
) -> Deployment:
    """Carry out *order*. *check* judges the databases of the archive before anything is sent.

    Raises:
        DatabaseError: the archive is not good, or was not made by plexsuper. The other side was not touched.
        PreflightError: the other side lacks something, or said no; the message tells in what state it is.
        ServerAway, ServerRefused: Plex did not stop, or did not come up with the new library and has the old one again.
    """
    return Deed(order, say, progress).carry_out(check)


def planned(
    order: Order, *, check: Check | None = None, progress: ProgressCallback | None = None
) -> list[str]:
    """Verify the archive, look at the other side, and return the steps; nothing is changed."""
    return Deed(order, lambda _: None, progress).steps(check)
