"""Proves the examples for log collectors: those whose program is here are run, the others are read as far as that goes."""

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from plexsuper import events as e
from plexsuper.examples import MOVIES, RUN, envelopes
from plexsuper.stream import encode, schema
from plexsuper.terms import WarmFailure

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "collectors"
LOGS = "/var/log/plexsuper"
FIELDS = set(schema()["properties"])
FAILED = tuple(WarmFailure(path=f"/media/Movies/Film {n} (1999).mkv", reason="ö" * 40) for n in range(1000))
LONG = e.WarmFinished(section=MOVIES, read=1, failed=FAILED, left=0, bytes_read=1, seconds=1.0)
LINES = [encode(envelope) for envelope in envelopes((*RUN[:-1], (4420.0, LONG), RUN[-1]))]
ATTENTION = [json.loads(line) for line in LINES if json.loads(line)["level"] in {"warning", "error"}]


def program(*names: str) -> str:
    """Return the path of the program *names*; without it skip, or fail where PLEXSUPER_REQUIRE names the collectors."""
    for name in names:
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/lib/systemd")
        if found:
            return found
    if "collectors" in os.environ.get("PLEXSUPER_REQUIRE", ""):
        pytest.fail(f"collectors are required here (PLEXSUPER_REQUIRE), but {names[0]} is missing")
    pytest.skip(f"needs {names[0]}")


def example(name: str, tmp_path: Path) -> Path:
    """Write the example *name* for the files in *tmp_path*, and return where."""
    text = (
        (EXAMPLES / name)
        .read_text()
        .replace(LOGS, str(tmp_path))
        .replace("/var/spool/rsyslog", str(tmp_path))
    )
    file = tmp_path / name
    file.write_text(text)
    return file


@contextmanager
def collecting(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_for(file: Path, size: int, process: subprocess.Popen[bytes]) -> bytes:
    """Return the content of *file* when it has *size* bytes."""
    end = time.monotonic() + 30
    while not file.exists() or file.stat().st_size < size:
        assert process.poll() is None, "the collector has ended"
        assert time.monotonic() < end, "the events do not arrive"
        time.sleep(0.05)
    return file.read_bytes()


def feed_and_check(tmp_path: Path, *command: str) -> None:
    """Append the run to the file that the collector of *command* reads, as a run does, and look at what it made of it."""
    assert len(LINES[-2]) > 100_000
    events = tmp_path / "events.jsonl"
    events.write_bytes(LINES[0])
    with collecting(*command) as collector, events.open("ab", buffering=0) as out:
        wait_for(tmp_path / "collected.jsonl", len(LINES[0]), collector)
        out.write(b"Something else that was printed\n")
        out.write(LINES[1][:50])  # a line that comes in two pieces
        time.sleep(0.2)
        out.write(LINES[1][50:] + b"".join(LINES[2:]))
        collected = wait_for(tmp_path / "collected.jsonl", sum(map(len, LINES)), collector)
        told = wait_for(tmp_path / "attention.log", 1, collector)
    assert collected == b"".join(LINES)
    rows = (tmp_path / "attention.log").read_text().splitlines()
    assert told
    assert [row.split(" ", 4)[:4] for row in rows] == [
        [line["ts"], line["run"], line["level"], line["type"]] for line in ATTENTION
    ]
    assert rows[-1].endswith("run.finished ")
    assert rows[-2].endswith("warm.finished Movies")


def test_syslog_ng_keeps_every_event_as_the_line_that_it_was(tmp_path):
    command = program("syslog-ng")
    conf = example("syslog-ng.conf", tmp_path)
    own = [f"--{name}={tmp_path}/{name}" for name in ("persist-file", "pidfile", "control")]
    feed_and_check(tmp_path, command, "--foreground", "--no-caps", f"--cfgfile={conf}", *own)


def test_rsyslog_keeps_every_event_as_the_line_that_it_was(tmp_path):
    """Debian lets only one of it and syslog-ng be installed; scripts/_system takes its files from the package."""
    command = program("rsyslogd")
    modules = Path(command).with_name("rsyslog")
    own = ("-M", str(modules)) if modules.is_dir() else ()
    conf = example("rsyslog.conf", tmp_path)
    feed_and_check(tmp_path, command, "-n", "-f", str(conf), "-i", str(tmp_path / "rsyslog.pid"), *own)


JOURNAL = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
cp "$1" /run/systemd/journald.conf.d/
"$2" & journald=$!
while [ ! -S /run/systemd/journal/stdout ]; do sleep 0.1; done
systemd-cat --identifier=plexsuper < "$3"
journalctl --sync
journalctl --identifier=plexsuper --output=cat --no-pager --all
kill "$journald"
"""


def test_the_journal_of_systemd_gives_every_event_back(tmp_path):
    journald = program("systemd-journald")
    unshare = program("unshare")
    if os.geteuid() or subprocess.run([unshare, "--mount", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(LINES))
    conf = EXAMPLES / "journald" / "journald.conf"
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", JOURNAL, "sh", str(conf), journald, str(events)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"".join(LINES), done.stderr.decode()


def test_vector_takes_the_examples():
    for name in ("vector.toml", "vector-docker.toml"):
        config = tomllib.loads((EXAMPLES / name).read_text())
        known = {*config["sources"], *config["transforms"]}
        for part in (*config["transforms"].values(), *config["sinks"].values()):
            assert set(part["inputs"]) <= known
        labels = config["sinks"]["loki"]["labels"]
        assert {label for value in labels.values() for label in re.findall(r"{{ (\w+) }}", value)} <= FIELDS
        assert set(re.findall(r"[ (]\.(\w+)", config["transforms"]["events"]["source"])) <= FIELDS | {
            "message",
            "timestamp",
        }
    vector = shutil.which("vector")
    if vector:
        for name in ("vector.toml", "vector-docker.toml"):
            subprocess.run([vector, "validate", "--no-environment", str(EXAMPLES / name)], check=True)


def test_fluent_bit_and_loki_take_the_examples():
    config: dict[str, Any] = yaml.safe_load((EXAMPLES / "fluent-bit.yaml").read_text())
    (parser,) = config["parsers"]
    assert config["pipeline"]["inputs"][0]["parser"] == parser["name"]
    assert parser["time_key"] in FIELDS
    stamp = json.loads(LINES[0])["ts"]
    assert time.strptime(stamp, parser["time_format"].replace(".%LZ", f".{stamp[20:23]}Z"))
    (output,) = config["pipeline"]["outputs"]
    assert output["label_keys"].removeprefix("$") in FIELDS
    assert yaml.safe_load((EXAMPLES / "loki.yml").read_text())["auth_enabled"] is False
    fluent_bit = shutil.which("fluent-bit")
    if fluent_bit:
        subprocess.run([fluent_bit, "--dry-run", "-c", str(EXAMPLES / "fluent-bit.yaml")], check=True)


def test_alloy_takes_the_example():
    text = re.sub(r"^\s*//.*$", "", (EXAMPLES / "config.alloy").read_text(), flags=re.MULTILINE)
    assert text.count("{") == text.count("}")
    defined = set(re.findall(r'^([\w.]+) "(\w+)" {', text, re.MULTILINE))
    used = set(re.findall(r"([a-z_.]+)\.(\w+)\.(?:receiver|targets)", text))
    assert used < defined
    for block in ("stage.json", "stage.labels", "stage.structured_metadata"):
        inside = text.partition(block)[2].partition("}\n")[0]
        assert set(re.findall(r'"(\w+)" = ""', inside)) <= FIELDS
    alloy = shutil.which("alloy")
    if alloy:
        subprocess.run([alloy, "fmt", "--test", str(EXAMPLES / "config.alloy")], check=True)


def test_every_example_is_told_in_the_documentation():
    page = (EXAMPLES.parents[1] / "docs" / "collectors.md").read_text()
    for file in EXAMPLES.rglob("*"):
        if file.is_file():
            assert file.name in page, file
