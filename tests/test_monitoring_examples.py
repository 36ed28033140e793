"""Proves the examples for Prometheus and Grafana: every query asks for what the metrics have, and Prometheus takes them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from plexsuper.examples import MISHAPS, RUN, envelopes
from plexsuper.faces.metrics import Metrics, render

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "monitoring"
OURS = {"instance", "job"}


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Return the name of every metric that a run can have, and its labels."""
    metrics, found = Metrics(), dict[str, set[str]]()
    for envelope in envelopes(tuple(sorted((*RUN, *MISHAPS), key=lambda told: told[0]))):
        metrics.see(envelope)
        for family in text_string_to_metric_families(render(metrics).decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def queries() -> Iterator[str]:
    """Yield every PromQL query of the examples."""
    for group in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (
        variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"
    )


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_every_query_asks_for_metrics_and_labels_that_exist(known, query):
    asked = re.findall(r"(plexsuper_\w+)(?:\{([^}]*)\})?", query)
    assert asked
    for name, matchers in asked:
        assert name in known, name
        assert set(re.findall(r"(\w+)\s*[=!]~?\s*\"", matchers)) <= known[name] | OURS, query
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
    assert grouped <= set.union(*(known[name] for name, _ in asked))


def test_the_legends_of_the_dashboard_name_labels_that_exist(known):
    for panel in json.loads((EXAMPLES / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"plexsuper_\w+", target["expr"])
            labels = set.union(*(known[name] for name in names))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels, panel["title"]


def test_the_panels_of_the_dashboard_do_not_lie_on_each_other():
    panels = json.loads((EXAMPLES / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 17
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_table_of_metrics_names_what_there_is(known):
    rows = [
        line.split("|")[1]
        for line in (EXAMPLES / "README.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    names = [f"plexsuper{name}" for row in rows for name in re.findall(r"`(?:plexsuper)?(_\w+)", row)]
    assert len(names) > 15
    assert set(names) <= set(known)


@pytest.mark.promtool
def test_promtool_takes_rules_their_tests_the_configuration_and_the_queries(tmp_path):
    promtool = shutil.which("promtool")
    assert promtool is not None
    rules = [
        {"record": f"q{n}", "expr": q.replace("$instance", ".*")}
        for n, q in enumerate(queries())
        if "label_values" not in q
    ]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": rules}]}))
    for arguments in (
        ("check", "rules", "alerts.yml", str(tmp_path / "queries.yml")),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts.test.yml"),
    ):
        done = subprocess.run(
            [promtool, *arguments], cwd=EXAMPLES, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
