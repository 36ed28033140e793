"""The four profiles: how patient a run is on a home server, and how patient on a rented machine.

A profile only gives defaults; every number of it can be set on its own. All durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from plexsuper.kinds import SectionType

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE


def stall_time(threshold: int, interval: float) -> float:
    """Return the seconds without any progress after which a phase is stalled: *threshold* x *interval* (lesson L12)."""
    return threshold * interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The patience of a run.

    A phase is looked at every `interval` seconds and is stalled after `threshold` looks without progress. Past
    `budget` (by section type, for each phase) a phase that still progresses goes on with a warning; past `cap`
    it ends. `ready_patience` and `token_patience` bound the wait for the server and for its token;
    `media_patience` bounds an outage of the media storage, and `connections` how many files plexsuper reads from it at
    once: a home line's router has few to give (lesson L39). `memory_share` and `cpu_share` say how much of the machine
    a container with the server may use: a rented one has nothing else to do.
    """

    name: str
    use: str
    interval: float
    threshold: int
    budgets: Mapping[SectionType, float]
    cap: float
    ready_patience: float
    token_patience: float
    media_patience: float
    connections: int
    memory_share: float
    cpu_share: float

    @property
    def stall_after(self) -> float:
        """Seconds without progress after which a phase is stalled."""
        return stall_time(self.threshold, self.interval)

    def defaults(self) -> dict[str, Any]:
        """Return what this profile says, as nested settings."""
        return {
            "timing": {
                "interval": self.interval,
                "threshold": self.threshold,
                "budgets": {type_.value: budget for type_, budget in self.budgets.items()},
                "cap": self.cap,
                "ready_patience": self.ready_patience,
                "token_patience": self.token_patience,
            },
            "media": {"patience": self.media_patience, "connections": self.connections},
        }

    def pace(self) -> dict[str, Any]:
        """Return only how often this profile looks and when it calls a phase stalled, as nested settings."""
        return {"timing": {"interval": self.interval, "threshold": self.threshold}}


# Photos took longer than one hour on the home server that this is built for, everything else did not (lesson L04).
LOCAL_BUDGETS: Final[Mapping[SectionType, float]] = MappingProxyType(
    {type_: 4 * HOUR if type_ is SectionType.PHOTO else HOUR for type_ in SectionType}
)
CLOUD_BUDGETS: Final[Mapping[SectionType, float]] = MappingProxyType(
    {type_: 4 * budget for type_, budget in LOCAL_BUDGETS.items()}
)

LOCAL_QUICK: Final = Profile(
    name="local_quick",
    use="a home server, to try a set-up",
    interval=30.0,
    threshold=5,
    budgets=LOCAL_BUDGETS,
    cap=8 * HOUR,
    ready_patience=15 * MINUTE,
    token_patience=120.0,
    media_patience=15 * MINUTE,
    connections=8,
    memory_share=0.4,
    cpu_share=0.5,
)
LOCAL_DELTA: Final = Profile(
    name="local_delta",
    use="a home server, what is new since the last run",
    interval=60.0,
    threshold=10,
    budgets=LOCAL_BUDGETS,
    cap=8 * HOUR,
    ready_patience=15 * MINUTE,
    token_patience=120.0,
    media_patience=15 * MINUTE,
    connections=8,
    memory_share=0.5,
    cpu_share=0.5,
)
CLOUD_STANDARD: Final = Profile(
    name="cloud_standard",
    use="a rented machine, a library of usual size",
    interval=60.0,
    threshold=15,
    budgets=CLOUD_BUDGETS,
    cap=24 * HOUR,
    ready_patience=HOUR,
    token_patience=180.0,
    media_patience=HOUR,
    connections=16,
    memory_share=0.85,
    cpu_share=0.9,
)
CLOUD_INTENSIVE: Final = Profile(
    name="cloud_intensive",
    use="a rented machine, a huge library from scratch",
    interval=120.0,
    threshold=30,
    budgets=CLOUD_BUDGETS,
    cap=72 * HOUR,
    ready_patience=HOUR,
    token_patience=180.0,
    media_patience=HOUR,
    connections=16,
    memory_share=0.9,
    cpu_share=0.95,
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (LOCAL_QUICK, LOCAL_DELTA, CLOUD_STANDARD, CLOUD_INTENSIVE)}
)

DEFAULT_PROFILE: Final = LOCAL_DELTA.name
