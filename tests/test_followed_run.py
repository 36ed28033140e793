"""Proves on a real run that whoever follows it gets the truth: messages, signs of life, metrics, and the same report as its record."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from plexsuper.faces.metrics import Metrics, render
from plexsuper.replay import Replay
from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import leaks, running
from tests.real_simulator import simulator
from tests.test_end_to_end import SCALE, attached

pytestmark = pytest.mark.slow

SECRET = "hidden-topic-of-mine"


@contextmanager
def post_office() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Give the address of a web server that takes everything, and what it took."""
    taken: list[tuple[str, bytes]] = []

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"] or 0))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_real_run_is_followed_to_its_end(tmp_path):
    make_media_tree(tmp_path / "media", seed=3)
    textfile = tmp_path / "plexsuper.prom"
    with post_office() as (office, taken), simulator(tmp_path, *SCALE) as server:
        tables = attached(
            server,
            metrics={"textfile": str(textfile), "every": 0.5},
            notify={"urls": [f"json://{office}/{SECRET}"], "ping_url": f"http://{office}/{SECRET}/check"},
        )
        with running(tmp_path, tables, "--quick") as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        assert run.of("monitor.crashed") == []

    messages = [json.loads(body) for path, body in taken if path == f"/{SECRET}"]
    assert [message["title"].partition(" after ")[0] for message in messages] == ["plexsuper: done"]
    pings = [path.removeprefix(f"/{SECRET}") for path, _ in taken if path != f"/{SECRET}"]
    assert (pings[0], pings[-1]) == ("/check/start", "/check")

    metrics = Metrics()
    for envelope in Replay().envelopes(run.stdout.splitlines()):
        metrics.see(envelope)
    assert textfile.read_bytes() == render(metrics)

    (left,) = (tmp_path / "state" / "runs").glob("*/report.html")
    assert left.parent.name == run.lines[0]["run"]
    (tmp_path / "events.jsonl").write_bytes(run.stdout)
    for source in (["events.jsonl"], ["--config", "plexsuper.toml"]):
        assert reported(tmp_path, *source) == left.read_bytes(), source

    kept = [path for path in leaks(SECRET, tmp_path) if path != tmp_path / "plexsuper.toml"]
    assert kept == []


def reported(place: Path, *source: str) -> bytes:
    """Return the report that the command makes."""
    command = [sys.executable, "-m", "plexsuper", "report", *source]
    return subprocess.run(command, cwd=place, capture_output=True, check=True, timeout=60).stdout
