"""Everything one run can be told to do, with the things it does it with: the stages, the phases, the monitors."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Never

import anyio
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.actions.analyze import start_analysis, stop_analysis
from plexsuper.actions.catalogue import choose, create_missing
from plexsuper.actions.database import check_database, collect
from plexsuper.actions.persist import persist
from plexsuper.actions.phase import Request, carry_out
from plexsuper.actions.quiet import restore, silence
from plexsuper.actions.refresh import start_refresh, stop_refresh
from plexsuper.actions.scan import start_scan, stop_scan
from plexsuper.actions.server import bring_up, stop_server
from plexsuper.actions.sonic import silence_sonic, start_sonic, stop_sonic
from plexsuper.actions.storage import missing_locations, prove_storage
from plexsuper.actions.token import TokenSearch, find_token
from plexsuper.bus import Bus
from plexsuper.clients.ledger import Ledger
from plexsuper.clients.library_file import LibrarySource
from plexsuper.clients.plex import Plex
from plexsuper.clients.probe import ContentProbe
from plexsuper.clients.runtime import Runtime
from plexsuper.config import Settings
from plexsuper.errors import ServerError
from plexsuper.evidence import Evidence
from plexsuper.monitors.mount import watch_mount
from plexsuper.monitors.notifications import watch_notifications
from plexsuper.monitors.progress import watch_progress
from plexsuper.monitors.scanner import watch_scanners
from plexsuper.monitors.server import watch_server
from plexsuper.orders import Monitor
from plexsuper.settle import Patience
from plexsuper.state import Now
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionDefinition, SectionRef, Stage
