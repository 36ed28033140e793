"""Proves the metrics: right numbers, right names, readable by Prometheus, the same for a recorded run."""

import re
import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, RUN, envelopes
from plexsuper.faces.metrics import Metrics, render
from plexsuper.replay import Replay
from plexsuper.stream import encode
from plexsuper.terms import Phase

ALL = tuple(
    sorted(
        (told for told in (*RUN, *MISHAPS) if not isinstance(told[1], e.RunResumed)), key=lambda told: told[0]
    )
)
UNITS = re.compile(r"_(seconds|bytes|timestamp_seconds)(_total)?$")


def rendered(*told: tuple[float, e.Event]) -> bytes:
    metrics = Metrics()
    for envelope in envelopes(told):
        metrics.see(envelope)
    return render(metrics)


def values(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def text() -> bytes:
    return rendered(*ALL)


def value(text: bytes, name: str, **labels: str) -> float:
    found = values(text)
    return found[f"plexsuper_{name}", frozenset(labels.items())]


def test_the_numbers_of_the_example_run(text):
    movies: dict[str, Any] = {"section_id": "1", "section": "Movies"}
    for name, labels, wanted in (
        ("run_info", {"run": "20261122-180601-7f3a", "profile": "local_delta", "version": "0.1.0"}, 1),
        ("run_verdict", {"verdict": "set_aside"}, 1),
        ("run_exit_code", {}, 7),
        ("run_running", {}, 0),
        ("sections", {"outcome": "done"}, 1),
        ("sections", {"outcome": "set_aside"}, 1),
        ("sections", {"outcome": "to_do"}, 0),
        ("phase_seconds_total", {**movies, "phase": "scan", "part": "busy"}, 60.9),
        ("phase_seconds_total", {**movies, "phase": "scan", "part": "waiting"}, 2.1),
        ("phase_ends_total", {**movies, "phase": "scan", "outcome": "done"}, 1),
        ("warm_failed_files", movies, 1),
        ("left_files", {"section_id": "2", "section": "Music", "phase": "analyze"}, 2),
        ("recovered_files", {"section_id": "2", "section": "Music", "phase": "analyze"}, 682),
        ("mount_latency_seconds", {}, 0.31),
        ("mount_lost_total", {}, 1),
        ("mount_state_seconds_total", {"state": "lost"}, 836.1),
        ("frozen_seconds_total", {}, 1),
        ("freezes_total", {}, 1),
        ("container_memory_bytes", {}, 1.31e9),
        ("removals", {**movies, "fate": "restored"}, 3),
        ("removals", {**movies, "fate": "lost"}, 0),
        ("library_entries", {"kind": "movies", "when": "after", "place": "live"}, 2106),
        ("export_size_bytes", {}, 5.3e9),
    ):
        assert value(text, name, **labels) == pytest.approx(wanted), name


def test_what_was_counted_in_plex_is_told_until_entries_are_brought_back_without_it(text):
    movies = {"section_id": "1", "section": "Movies"}
    assert (
        value(rendered(*RUN), "section_items", **movies),
        value(rendered(*RUN), "section_trashed", **movies),
    ) == (
        2106,
        3,
    )
    assert b"section_items{" not in text  # its last event of that kind is `library.revived`
    assert value(text, "library_entries", kind="movies", when="after", place="live") == 2106


def test_what_goes_on_is_told_while_it_goes_on():
    text = rendered(
        *((t, event) for t, event in RUN if t <= 18.9),
        (19.0, e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=1.0, cap=2.0)),
        (
            30.0,
            e.SectionPhaseProgressed(
                section=MOVIES, phase=Phase.SCAN, done=1234, total=2100, percent=58.8, rate=35.0, eta=24.7
            ),
        ),
    )
    scan = {"section_id": "1", "section": "Movies", "phase": "scan"}
    assert value(text, "phase_elapsed_seconds", **scan) == 11.0
    assert value(text, "phase_done", **scan) == 1234
    assert value(text, "phase_wanted", **scan) == 2100
    assert value(text, "phase_done_per_second", **scan) == 35
    assert value(text, "phase_remaining_seconds", **scan) == 24.7
    assert (value(text, "mount_up"), value(text, "server_up"), value(text, "run_running")) == (1, 1, 1)
    assert value(text, "last_event_timestamp_seconds") - value(text, "run_start_timestamp_seconds") == 30


def test_a_recorded_run_has_the_numbers_of_the_live_one(text):
    metrics = Metrics()
    for envelope in Replay().envelopes([encode(envelope) for envelope in envelopes(ALL)]):
        metrics.see(envelope)
    assert render(metrics) == text


def test_a_counter_never_goes_down_while_a_run_goes_on():
    metrics, before = Metrics(), dict[Any, float]()
    for envelope in envelopes(ALL):
        metrics.see(envelope)
        now = {key: v for key, v in values(render(metrics)).items() if key[0].endswith("_total")}
        for key, was in before.items():
            assert now[key] >= was, (key, envelope.type)
        before = now


def test_names_and_units_follow_the_conventions(text):
    families = list(text_string_to_metric_families(text.decode()))
    assert len(families) > 35
    for family in families:
        assert re.fullmatch(r"plexsuper_[a-z][a-z_]*[a-z]", family.name)
        assert family.documentation
        assert not family.documentation.endswith(".")
        assert family.type in {"gauge", "counter"}
        named = all(sample.name.endswith("_total") for sample in family.samples)
        assert named == (family.type == "counter"), family.name
        for word in ("seconds", "bytes"):  # a unit is the last word of a name
            assert word not in family.name or UNITS.search(family.name), family.name
        for sample in family.samples:
            assert "run" not in sample.labels or family.name == "plexsuper_run_info"


def test_a_title_with_quotes_and_line_feeds_stays_one_label():
    evil = 'a"b\\c\nd'
    section = MOVIES.__class__(id=9, title=evil)
    text = rendered(
        (0.0, e.SectionPhaseStarted(section=section, phase=Phase.SCAN, attempt=1, budget=1, cap=2))
    )
    labels = {"section_id": "9", "section": 'a"b\\c d', "phase": "scan"}
    assert value(text, "phase_elapsed_seconds", **labels) == 0


def test_nothing_has_been_told_yet():
    assert value(render(Metrics()), "run_running") == 1


@pytest.mark.promtool
def test_promtool_has_nothing_to_say_against_it(text):
    promtool = shutil.which("promtool")
    assert promtool is not None
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
