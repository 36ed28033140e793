"""Proves the numbers of the four profiles."""

import pytest

from plexsuper.config import Settings
from plexsuper.kinds import SectionType
from plexsuper.profiles import DEFAULT_PROFILE, PROFILES, stall_time


@pytest.mark.lesson("L12")
@pytest.mark.parametrize(
    ("name", "threshold", "interval", "stall_after"),
    [
        ("local_quick", 5, 30.0, 150.0),
        ("local_delta", 10, 60.0, 600.0),
        ("cloud_standard", 15, 60.0, 900.0),
        ("cloud_intensive", 30, 120.0, 3600.0),
    ],
)
def test_stall_time_is_threshold_times_interval(name, threshold, interval, stall_after):
    profile = PROFILES[name]
    assert (profile.threshold, profile.interval, profile.stall_after) == (threshold, interval, stall_after)
    assert stall_time(threshold, interval) == stall_after


@pytest.mark.lesson("L04")
@pytest.mark.parametrize(
    ("name", "photo", "others"),
    [
        ("local_quick", 14_400.0, 3_600.0),
        ("local_delta", 14_400.0, 3_600.0),
        ("cloud_standard", 57_600.0, 14_400.0),
        ("cloud_intensive", 57_600.0, 14_400.0),
    ],
)
def test_photos_have_four_times_the_budget_and_the_cloud_four_times_that_of_home(name, photo, others):
    budgets = PROFILES[name].budgets
    assert dict(budgets) == {
        SectionType.MOVIE: others,
        SectionType.SHOW: others,
        SectionType.ARTIST: others,
        SectionType.PHOTO: photo,
    }


@pytest.mark.parametrize(
    ("name", "cap", "ready", "media"),
    [
        ("local_quick", 28_800.0, 900.0, 900.0),
        ("local_delta", 28_800.0, 900.0, 900.0),
        ("cloud_standard", 86_400.0, 3_600.0, 3_600.0),
        ("cloud_intensive", 259_200.0, 3_600.0, 3_600.0),
    ],
)
def test_caps_and_patience_are_wider_in_the_cloud(name, cap, ready, media):
    profile = PROFILES[name]
    assert (profile.cap, profile.ready_patience, profile.media_patience) == (cap, ready, media)


@pytest.mark.lesson("L16")
@pytest.mark.parametrize(
    ("name", "patience"),
    [("local_quick", 120.0), ("local_delta", 120.0), ("cloud_standard", 180.0), ("cloud_intensive", 180.0)],
)
def test_the_token_is_looked_for_longer_in_the_cloud(name, patience):
    assert PROFILES[name].token_patience == patience


def test_every_profile_is_found_by_its_own_name_and_the_default_is_one_of_them():
    assert list(PROFILES) == ["local_quick", "local_delta", "cloud_standard", "cloud_intensive"]
    assert all(profile.name == name for name, profile in PROFILES.items())
    assert DEFAULT_PROFILE == "local_delta"


@pytest.mark.lesson("L39")
@pytest.mark.parametrize(
    ("name", "connections"),
    [("local_quick", 8), ("local_delta", 8), ("cloud_standard", 16), ("cloud_intensive", 16)],
)
def test_a_home_line_is_read_by_half_as_many_at_once_as_a_rented_one(name, connections):
    settings = Settings.model_validate({"profile": name, "media": {"path": "/srv/media"}})
    assert settings.media.connections == connections
    assert Settings.model_validate({"profile": name, "media": {"connections": 3}}).media.connections == 3
