"""The numbers of a run in Prometheus's text format; names and units follow its conventions.

Sections carry their id and their title, because two sections may have the same title. No series carries the id of the
run but `plexsuper_run_info`: with every run there would be new series.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from plexsuper.faces.metrics.fold import Metrics
from plexsuper.faces.vocabulary import MOUNT
from plexsuper.terms import Outcome, RemovalCounts

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily

_SECTION: Final = ("section_id", "section")
_FATES: Final = tuple(RemovalCounts.__dataclass_fields__)


def render(metrics: Metrics) -> bytes:
    """Return *metrics* as they are collected."""
    registry = CollectorRegistry()
    registry.register(_Families(metrics))
    return generate_latest(registry)


class _Families(Collector):
    """Hands one state of the numbers to the library that writes them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        """Yield every family that has a value."""
        for part in (_run, _sections, _progress, _storage, _server, _library):
            yield from (family for family in part(self._metrics) if family.samples)


def _run(m: Metrics) -> Iterator[Family]:
    info = _gauge(
        "run_info", "The run, its profile and the version of plexsuper", "run", "profile", "version"
    )
    if m.started is not None and m.at is not None:
        info.add_metric([m.run, m.now.profile, m.version], 1)
        yield info
        yield _one("run_start_timestamp_seconds", "When the run began, Unix time", m.started.timestamp())
        yield _one(
            "last_event_timestamp_seconds", "When the last event was told, Unix time", m.at.timestamp()
        )
    yield _one("run_running", "1 while the run has not ended", float(m.now.verdict is None))
    verdict = _gauge("run_verdict", "1 for the verdict of a run that has ended", "verdict")
    if m.now.verdict is not None:
        verdict.add_metric([m.now.verdict], 1)
        yield verdict
    if m.now.exit_code is not None:
        yield _one("run_exit_code", "The exit code of a run that has ended", float(m.now.exit_code))
    yield _labelled(_counter("events", "Events told so far", "level"), {(k,): v for k, v in m.levels.items()})
    told = {(stage,): seconds for stage, seconds in m.stages().items()}
    yield _labelled(_counter("stage_seconds", "Time spent in each stage of the run", "stage"), told)
    if m.now.stage is not None:
        stage = _gauge("stage", "1 for the stage that the run is in", "stage")
        stage.add_metric([m.now.stage], 1)
        yield stage
    yield _total(
        "monitor_crashes",
        "Crashes of a monitor, after which it was started again",
        m.counted["monitor_crashes"],
    )
    yield _one("dropped_lines", "Lines of output that nobody took", float(m.dropped))


def _sections(m: Metrics) -> Iterator[Family]:
    ended = [report.outcome for report in m.now.reports]
    states = _gauge("sections", "Sections of the run by what became of them", "outcome")
    for outcome in (Outcome.DONE, Outcome.SKIPPED, Outcome.SET_ASIDE):
        states.add_metric([outcome], ended.count(outcome))
    others = sum(outcome not in {Outcome.DONE, Outcome.SKIPPED, Outcome.SET_ASIDE} for outcome in ended)
    states.add_metric(["other"], others)
    states.add_metric(["to_do"], max(0, len(m.now.sections) - len(ended)))
    yield states
    spent = _counter(
        "phase_seconds",
        "Time of the phases that have ended, by what it went into",
        *_SECTION,
        "phase",
        "part",
    )
    yield _labelled(spent, {(*_name(m, s), phase, part): v for (s, phase, part), v in m.phases().items()})
    elapsed = _gauge("phase_elapsed_seconds", "Time that the phase under way has taken", *_SECTION, "phase")
    yield _labelled(elapsed, {(*_name(m, s), phase): v for (s, phase), v in m.under_way().items()})
    runs = _counter("phase_ends", "Phases that ended, by their outcome", *_SECTION, "phase", "outcome")
    yield _labelled(
        runs, {(*_name(m, s), phase, outcome): v for (s, phase, outcome), v in m.outcomes.items()}
    )
    yield _total("phase_stalls", "Phases that showed no progress for the stall time", m.counted["stalls"])
    left = _gauge("left_files", "Files that an analysis of their section has left", *_SECTION, "phase")
    yield _labelled(left, {(*_name(m, s), phase): float(v) for (s, phase), v in m.left.items()})
    got = "Files that an analysis of their section got at the second try only"
    recovered = _gauge("recovered_files", got, *_SECTION, "phase")
    yield _labelled(recovered, {(*_name(m, s), phase): float(v) for (s, phase), v in m.recovered.items()})
    for name, told in (
        ("items", "Live entries of a section"),
        ("trashed", "Entries in the trash of a section"),
        ("media", "Live media files of a section"),
        ("analyzed", "Live media files of a section that Plex has analysed"),
    ):
        counts = {_name(m, s): float(getattr(counted, name)) for s, counted in m.counts.items()}
        yield _labelled(_gauge(f"section_{name}", told, *_SECTION), counts)


def _progress(m: Metrics) -> Iterator[Family]:
    progress = m.now.progress
    if progress is not None:
        labels = (*_name(m, progress.section.id), progress.phase)
        for name, told, value in (
            ("phase_done", "Units of work done in the phase under way", progress.done),
            ("phase_wanted", "Units of work of the phase under way", progress.total),
            ("phase_done_per_second", "Units of work done a second in the phase under way", progress.rate),
            ("phase_remaining_seconds", "Estimated time to the end of the phase under way", progress.eta),
        ):
            if value is not None:
                yield _labelled(_gauge(name, told, *_SECTION, "phase"), {labels: float(value)})
    for index, (name, told) in enumerate(
        (
            ("warm_files", "Files of a section whose beginning was read before their analysis"),
            ("warm_failed_files", "Files of a section whose beginning could not be read"),
            ("warm_read_bytes", "Bytes read of a section's files before their analysis"),
        )
    ):
        values = {_name(m, s): float(numbers[index]) for s, numbers in m.warm.items()}
        yield _labelled(_gauge(name, told, *_SECTION), values)


def _storage(m: Metrics) -> Iterator[Family]:
    yield _one("mount_up", "1 while the media storage is proved by content", float(m.now.mount == "healthy"))
    states = {(state,): float(m.now.mount == state) for state in MOUNT}
    yield _labelled(_gauge("mount_state", "1 for the state that the media storage is in", "state"), states)
    totals = m.storage()
    spent = {(state,): totals.get(state, 0.0) for state in MOUNT}
    yield _labelled(
        _counter("mount_state_seconds", "Time of the media storage in each state", "state"), spent
    )
    yield _total("mount_lost", "Times that the media storage was lost", m.counted["mount_lost"])
    yield _total(
        "mount_recoveries", "Steps taken to bring the media storage back", m.counted["mount_recoveries"]
    )
    if m.latency is not None:
        yield _one(
            "mount_latency_seconds",
            "The time that a look at the content of the storage took, lately",
            m.latency,
        )
    if m.connections is not None:
        yield _one(
            "connections_limit", "Reads of the media storage that may run at once", float(m.connections)
        )
    yield _one("frozen", "1 while Plex stands still", float(m.frozen))
    yield _total("freezes", "Times that Plex was frozen", m.counted["freezes"])
    yield _total("frozen_seconds", "Time that Plex stood still", totals.get("frozen", 0.0))
    yield _total(
        "guard_trips", "Times that the guard stopped a scan to look at storage", m.counted["guard_trips"]
    )


def _server(m: Metrics) -> Iterator[Family]:
    yield _one("server_up", "1 while Plex is ready to work", float(m.now.server == "ready"))
    yield _total("server_lost", "Times that Plex was lost", m.counted["server_lost"])
    used = m.container
    if used is not None:
        yield _one("container_cpus", "Processors that Plex's container uses", used.cpus)
        yield _one("container_memory_bytes", "Memory that Plex's container uses", float(used.memory))
        if used.limit is not None:
            yield _one(
                "container_memory_limit_bytes", "Memory that Plex's container may use", float(used.limit)
            )


def _library(m: Metrics) -> Iterator[Family]:
    removed = _gauge("removals", "Removed entries by what became of them", *_SECTION, "fate")
    fates = {(*_name(m, s), fate): float(getattr(c, fate)) for s, c in m.removals.items() for fate in _FATES}
    yield _labelled(removed, fates)
    entries = _gauge(
        "library_entries", "Entries of the library before and after the run", "kind", "when", "place"
    )
    yield _labelled(entries, {labels: float(number) for labels, number in m.library().items()})
    if m.export is not None:
        when, size = m.export
        yield _one(
            "export_timestamp_seconds", "When the library was exported last, Unix time", when.timestamp()
        )
        yield _one("export_size_bytes", "Size of the last export of the library", float(size))


def _name(m: Metrics, section: int) -> tuple[str, str]:
    return str(section), m.titles.get(section, "")


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"plexsuper_{name}", told, labels=labels)


def _counter(name: str, told: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"plexsuper_{name}", told, labels=labels)


def _one(name: str, told: str, value: float) -> Family:
    return GaugeMetricFamily(f"plexsuper_{name}", told, value=value)


def _total(name: str, told: str, value: float) -> Family:
    return CounterMetricFamily(f"plexsuper_{name}", told, value=value)


def _labelled(family: Family, values: Mapping[Any, float]) -> Family:
    """Return *family* with *values* by labels."""
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family
