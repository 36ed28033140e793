"""Every example is complete and right: its settings load, its jobs say what the exit codes mean."""

import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from plexsuper.config import load_settings
from plexsuper.database.remap.mapping import make_mappings, parse_json
from plexsuper.errors import ExitCode

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TOMLS = sorted(EXAMPLES.rglob("plexsuper.toml"))
JOBS = EXAMPLES / "kubernetes/jobs.yaml"
NOMAD = EXAMPLES / "nomad/plexsuper.nomad.hcl"
FOR_A_PERSON = [ExitCode.USAGE, ExitCode.PREFLIGHT, ExitCode.DATABASE, ExitCode.SET_ASIDE, ExitCode.LOSS]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("PLEXSUPER_", "PLEX_")):
            monkeypatch.delenv(name)


def jobs() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(JOBS.read_text()))


def heredoc(word: str) -> str:
    found = re.search(rf"<<-{word}\n(.*?)\n *{word}\n", NOMAD.read_text(), re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1])


@pytest.mark.parametrize("file", TOMLS, ids=lambda file: file.parent.name)
def test_the_settings_of_every_example_are_right(file):
    settings = load_settings(file=file)
    assert settings.file == file
    assert settings.media.path is not None


def test_there_is_an_example_for_each_case():
    assert [file.parent.name for file in TOMLS] == ["cloud-s3", "delta-mappings", "home-server"]
    assert load_settings(file=TOMLS[0]).media.kind == "rclone"
    assert load_settings(file=TOMLS[2]).media.kind == "directory"


def test_the_mappings_are_read_and_lead_back():
    there, back = (
        parse_json((EXAMPLES / "delta-mappings" / name).read_bytes())
        for name in ("mappings.json", "mappings-back.json")
    )
    assert make_mappings(there).translate(b"/volume1/video/Series/A") == b"/data/media/TV/A"
    assert [(new, old) for old, new in there] == back
    named = re.findall(r"\S+\.json", (EXAMPLES / "delta-mappings/plexsuper.toml").read_text())
    assert set(named) == {"mappings.json", "mappings-back.json"}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(lambda: jobs()[0]["data"]["plexsuper.toml"], id="kubernetes"),
        pytest.param(lambda: heredoc("TOML"), id="nomad"),
    ],
)
def test_the_settings_inside_a_job_are_right(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PLEXSUPER_MEDIA__REMOTE", "s3:alice/media")
    file = tmp_path / "plexsuper.toml"
    file.write_text(settings())
    loaded = load_settings(file=file)
    assert (loaded.media.remote, loaded.events.format) == ("s3:alice/media", "jsonl")
    assert loaded.library.export is not None


@pytest.mark.parametrize("number", [1, 2])
def test_a_kubernetes_job_never_runs_twice_and_knows_the_exit_codes(number):
    job = jobs()[number]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    server = job["metadata"]["labels"]["server"]
    assert (spec["parallelism"], spec["completions"]) == (1, 1)
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == FOR_A_PERSON
    assert pod["restartPolicy"] == "Never"  # a failure policy allows no other
    assert pod["terminationGracePeriodSeconds"] == 900
    (container,) = pod["containers"]
    assert container["args"] == ["run", "--config", "/etc/plexsuper/plexsuper.toml"]
    assert container["env"][0] == {"name": "PLEXSUPER_MEDIA__REMOTE", "value": f"s3:{server}/media"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["state"]["persistentVolumeClaim"] == {"claimName": f"plexsuper-{server}"}


def test_the_two_jobs_differ_in_the_server_only():
    alice, bob = (json.dumps(job, sort_keys=True) for job in jobs()[1:])
    assert alice.replace("alice", "bob") == bob


def test_the_nomad_job_is_balanced_and_waits_for_plex():
    code = re.sub(r"<<-(\w+)\n.*?\n *\1\n", '""\n', NOMAD.read_text(), flags=re.DOTALL)
    code = re.sub(r"#.*", "", code)
    depth = 0
    for bracket in re.findall(r"[{}\[\]]", re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)):
        depth += 1 if bracket in "{[" else -1
        assert depth >= 0
    assert depth == 0
    assert re.search(r'^ +kill_timeout = "15m"', code, re.MULTILINE)


def test_the_page_names_every_example_and_the_exit_codes():
    page = (EXAMPLES / "README.md").read_text()
    linked = {(EXAMPLES / target).resolve() for target in re.findall(r"\]\(([^)]+)\)", page)}
    assert all(target.exists() for target in linked)
    here = {file for file in EXAMPLES.iterdir() if file.name != "README.md"}
    assert here == {file for file in here if any(target.is_relative_to(file) for target in linked)}
    assert "**Exit codes** 2, 3, 5, 7 and 8 need a person" in page
