"""A server with one section, for the frame of a phase in virtual time; a test says what its own one does.

What is unrealistic: it is asked and looked at without HTTP, and tells nothing but what the test has it tell.
"""

from abc import ABC, abstractmethod

import anyio.lowlevel

from plexsuper import events as e
from plexsuper.actions.phase import Request
from plexsuper.decisions.evidence import Evidence
from plexsuper.decisions.settle import Patience
from plexsuper.kinds import SectionType
from plexsuper.terms import Phase, Section, SectionRef


class PhaseServer(ABC):
    """Takes what it is asked for and does nothing; `look` is what is seen of it directly."""

    async def ask(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def call_off(self) -> None:
        await anyio.lowlevel.checkpoint()

    @abstractmethod
    async def look(self) -> tuple[Evidence, ...]: ...

    def request(self, phase: Phase, patience: Patience) -> Request:
        """Return the request for *phase* of its section."""
        return Request(
            section=SectionRef(id=1, title="Films"),
            phase=phase,
            attempt=1,
            patience=patience,
            ask=self.ask,
            call_off=self.call_off,
            look=self.look,
        )


def listed(*, refreshing: bool) -> e.SectionsChanged:
    """Return the list of its sections."""
    films = Section(id=1, title="Films", type=SectionType.MOVIE, refreshing=refreshing, scanned_at=1)
    return e.SectionsChanged(sections=(films,))
