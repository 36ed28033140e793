"""A run on a Plex that answers while this host does not see its process: another container's, or one of another name."""

from pathlib import Path

import pytest

from tests.real_run import running
from tests.real_simulator import simulator, write_media

pytestmark = pytest.mark.slow


def test_the_library_of_a_plex_that_answers_is_left_alone_although_no_process_of_it_is_seen(
    tmp_path: Path,
) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--plain") as server:
        settings = {
            "media": {"path": str(server.media)},
            "plex": {"url": server.url, "config_dir": str(server.layout.data)},
        }
        with running(tmp_path, settings, "--quick") as run:
            code = run.end()

    assert code == 0, run.stdout.decode()[-3000:] + run.stderr
    assert run.of("plex.attached") != []
    assert run.of("library.judged") == []
    assert len(run.of("section.finished")) == 2
