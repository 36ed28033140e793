"""Proves what the compose file promises without an engine; tests/docker plays it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.lesson("F08")
@pytest.mark.parametrize("name", ["plexsuper", "plex"])
def test_a_run_in_a_container_is_given_the_time_to_stop_that_the_service_has(name):
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services[name]["stop_grace_period"] == "15m"
    assert "TimeoutStopSec=15min" in (ROOT / "scripts/plexsuper.service").read_text().splitlines()
