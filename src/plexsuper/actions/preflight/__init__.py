"""Look at everything a run needs before anything is started, and say all of it at once (`plexsuper check`)."""

from plexsuper.actions.preflight.look import examine, find, preflight
from plexsuper.actions.preflight.verdict import failure, require_no_error

__all__ = ["examine", "failure", "find", "preflight", "require_no_error"]
