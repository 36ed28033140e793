"""All checks of preflight; each is pure: the settings and what was seen in, findings out."""

from collections.abc import Callable, Iterator
from typing import Final

from plexsuper.actions.preflight.access import check_token
from plexsuper.actions.preflight.archives import check_archive, check_export, check_room
from plexsuper.actions.preflight.container import check_docker
from plexsuper.actions.preflight.machine import (
    check_config_dir,
    check_machine,
    check_settings,
    check_state_dir,
)
from plexsuper.actions.preflight.sections import check_definitions, check_media, check_wanted_sections
from plexsuper.actions.preflight.seen import Seen
from plexsuper.actions.preflight.server import check_library, check_server, check_viewers
from plexsuper.config import Settings
from plexsuper.events import PreflightFinding

CHECKS: Final[tuple[Callable[[Settings, Seen], Iterator[PreflightFinding]], ...]] = (
    check_settings,
    check_machine,
    check_state_dir,
    check_config_dir,
    check_library,
    check_archive,
    check_export,
    check_room,
    check_docker,
    check_server,
    check_token,
    check_viewers,
    check_media,
    check_definitions,
    check_wanted_sections,
)
"""Everything that preflight checks, in the order in which it is shown."""


def judge(settings: Settings, seen: Seen) -> tuple[PreflightFinding, ...]:
    """Return a finding for every subject, in the order in which a run comes to them."""
    return tuple(finding for check in CHECKS for finding in check(settings, seen))
