"""Reading the library before Plex may touch it; a failed read is an error and never the number 0."""

import pytest

from plexsuper.actions.database import check_database, collect
from plexsuper.clients.library_file import LibraryFile
from plexsuper.errors import DatabaseError
from plexsuper.events import DatabaseChecked
from plexsuper.kinds import SectionType
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.shelves import Shelf, furnish
from plexsuper.terms import Counts, Section
