"""What the parts of one running server share."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from anyio.abc import TaskGroup

from plexsuper.simulator.activities import Activities
from plexsuper.simulator.clock import Clock, Costs
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.library.holdings import Holdings
from plexsuper.simulator.library.writer import Section
from plexsuper.simulator.logs import Logs
from plexsuper.simulator.notifications import Notifications
from plexsuper.simulator.prefs import Preferences
from plexsuper.simulator.processes import Spawner
from plexsuper.simulator.truth import Truth


@dataclass(kw_only=True)
class Core:
    """One life of the server, from its start to its stop or crash."""

    clock: Clock
    knobs: Knobs
    rng: random.Random
    truth: Truth
    logs: Logs
    notifications: Notifications
    activities: Activities
    preferences: Preferences
    library: Holdings
    spawner: Spawner
    plex_pass: bool
    tasks: TaskGroup
    crash: Callable[[], None]
    scans: int = 0
    done: dict[str, set[int]] = field(default_factory=dict)
    """Items for which a kind of generated data (chapter thumbnails, say) exists; real ones lie in bundles on disk."""

    def vary(self, seconds: float) -> float:
        """Return *seconds*, jittered as the knobs say."""
        return seconds * (1 + self.knobs.jitter * self.rng.uniform(-1, 1)) if self.knobs.jitter else seconds

    def costs(self) -> Costs:
        """Return a purse for small durations."""
        return Costs(self.clock, self.vary)

    def section(self, number: int) -> Section | None:
        """Return a section, None if there is none of that id."""
        return next((section for section in self.library.sections() if section.id == number), None)
