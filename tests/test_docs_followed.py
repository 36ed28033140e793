"""Follows the pages of the documentation: what they tell to type is typed, one command after the other.

The tutorial runs against a Plex in a process of its own, the how-to pages on the library that such a server left behind.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app as database_app
from plexsuper.clients.removal_report import write_removals
from plexsuper.terms import Fate, Removal, SectionRef
from tests.doc_pages import DOCS, commands
from tests.real_run import FAST
from tests.real_simulator import PATIENCE, TOKEN, Simulator, simulator, write_media

pytestmark = pytest.mark.slow


class Reader:
    """Somebody who types the commands of a page one after the other in a directory of their own."""

    def __init__(self, place: Path, places: dict[str, str], **environment: str) -> None:
        self.place = place
        self._places = places
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PLEX_", "PLEXSUPER_"))
        }
        self._environment = kept | {"NO_COLOR": "1", "COLUMNS": "120"} | environment

    def type(self, line: str, code: int = 0) -> str:
        """Type *line* and return what it says; its exit code must be *code*."""
        for old, new in self._places.items():
            line = line.replace(old, new)
        program, command, *words = shlex.split(line)
        assert program == "plexsuper"
        if command == "db":  # in this process: most of their time would be the start of Python
            with contextlib.chdir(self.place):
                done = CliRunner().invoke(database_app, words)
            returned, told = done.exit_code, done.output
        else:
            returned, told = self._in_a_process([command, *words])
        assert returned == code, f"{line}\n{told[-3000:]}"
        return told

    def _in_a_process(self, words: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "plexsuper", *words],
            cwd=self.place,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Simulator]:
    """A Plex of the reader, with films and music in it."""
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--time-scale", "8") as server:
        yield server


@pytest.mark.timeout(180)
def test_the_tutorial_can_be_followed_step_by_step_and_ends_well(served, tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    page = (DOCS / "first-run.md").read_text()
    config_dir = next(
        p for p in (served.layout.databases, *served.layout.databases.parents) if p.name == "data"
    )
    reader = Reader(
        place,
        {},
        PLEXSUPER_STATE_DIR=str(place / "state"),
        PLEXSUPER_PLEX__URL=served.url,
        PLEXSUPER_PROFILE="local_quick",
        PLEXSUPER_TIMING__QUIET_WINDOW=str(FAST["quiet_window"]),
        PLEXSUPER_TIMING__POLL_EVERY=str(FAST["poll_every"]),
    )
    said_by: dict[str, str] = {}
    for line in commands(page):
        if line in {
            "plexsuper demo",
            "plexsuper watch",
        }:  # the demo has its own test; watch is for another terminal
            continue
        said_by[line] = reader.type(line)
        if line == "plexsuper init":
            shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
            assert shown is not None
            told = (
                shown[1]
                .replace("/var/lib/plexmediaserver", str(config_dir))
                .replace("/srv/media", str(served.media))
            )
            (place / "plexsuper.toml").write_text(told)
            (place / "plexsuper.toml").chmod(0o600)
    assert list(said_by) == [
        "plexsuper init",
        "plexsuper check",
        "plexsuper run --dry-run",
        "plexsuper run --quick --section Movies",
        "plexsuper run",
        "plexsuper runs",
        "plexsuper report -o report.html",
    ]
    assert "plexsuper check" in said_by["plexsuper init"]
    assert "Movies" in said_by["plexsuper check"]
    assert "plexsuper run --dry-run" in said_by["plexsuper check"]
    assert '"verdict":"planned"' in said_by["plexsuper run --dry-run"].replace(" ", "")
    assert '"exit_code":0' in said_by["plexsuper run"].replace(" ", "")
    assert said_by["plexsuper runs"].count("done") >= 2
    assert "</html>" in (place / "report.html").read_text()


@pytest.fixture
def at_home(tmp_path: Path) -> tuple[Reader, Path]:
    """The reader at a stopped Plex with films and music, and the directory of its databases."""
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--time-scale", "8") as server:
        databases = server.layout.databases
        scan(server, *(section for (section,) in ask(databases, "SELECT id FROM library_sections")))
        server.stop()
    place = tmp_path / "home"
    place.mkdir()
    shutil.copytree(tmp_path / "data", tmp_path / "there")  # where a Plex has run, too
    for library in (tmp_path / "there").rglob("*.library.db*"):
        library.unlink()
    shutil.copy(databases / "com.plexapp.plugins.library.db", next((tmp_path / "there").rglob("Databases")))
    (place / "mappings.json").write_text(
        json.dumps({"mappings": [{"from": str(tmp_path / "media"), "to": "/data/media"}]})
    )
    support = str(databases.parents[1])
    places = {
        "plex@home:/var/lib/plexmediaserver/Library/Application Support/Plex Media Server": support,
        "/var/lib/plexmediaserver": str(tmp_path / "data"),
        "/srv/plexsuper/config": str(tmp_path / "there"),
    }
    return Reader(place, places), databases


def scan(server: Simulator, *sections: int) -> None:
    """Let the server find its seven files, as a person does by pressing the button."""
    for section in sections:
        url = f"{server.url}/library/sections/{section}/refresh?X-Plex-Token={TOKEN}"
        urllib.request.urlopen(url, timeout=10).close()
    end = time.monotonic() + PATIENCE
    while len(files_in(server.layout.databases)) < 7:
        assert time.monotonic() < end, server.output.read_text()[-2000:]
        time.sleep(0.05)


def ask(databases: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(databases / "com.plexapp.plugins.library.db")) as conn:
        return conn.execute(sql).fetchall()


def typed(page: str) -> list[str]:
    return [
        line
        for line in commands((DOCS / page).read_text())
        if line.startswith(("plexsuper db ", "plexsuper deploy "))
    ]


def files_in(databases: Path) -> list[str]:
    return [
        file
        for (file,) in ask(databases, "SELECT file FROM media_parts WHERE deleted_at IS NULL ORDER BY id")
    ]


def test_a_server_is_moved_and_comes_home_by_the_commands_of_the_page(at_home, tmp_path):
    reader, databases = at_home
    before = files_in(databases)
    *lines, undo = typed("how-to/move-a-server.md")
    said_by = {line: reader.type(line) for line in lines}
    assert len(before) == 7
    assert files_in(databases) == before
    there = tmp_path / "there" / databases.relative_to(tmp_path / "data")
    assert files_in(there) == before
    kept = re.search(
        r"replaced databases: (.*)",
        said_by["plexsuper db inject /var/lib/plexmediaserver library-new.tar.zst"],
    )
    assert kept is not None
    assert undo.endswith(" replaced")
    lose(databases, part=1)
    assert files_in(databases) == before[1:]
    reader.type(undo.replace(" replaced", f" {shlex.quote(kept[1])}"))
    assert files_in(databases) == before


def test_paths_are_mapped_and_mapped_back_by_the_commands_of_the_page(at_home, tmp_path):
    reader, databases = at_home
    before = files_in(databases)
    reader.type("plexsuper db export /var/lib/plexmediaserver library.tar.zst")
    reader.type("plexsuper db inject /srv/plexsuper/config library.tar.zst")
    there = tmp_path / "there" / databases.relative_to(tmp_path / "data")
    dry, change, undo = typed("how-to/map-paths.md")
    reader.type(dry)
    assert files_in(there) == before
    reader.type(change)
    assert files_in(there) == [file.replace(str(tmp_path / "media"), "/data/media") for file in before]
    reader.type(undo)
    assert files_in(there) == before


def test_a_lost_entry_is_brought_back_by_the_commands_of_the_page(at_home):
    reader, databases = at_home
    before = files_in(databases)
    reader.type("plexsuper db snapshot /var/lib/plexmediaserver --into copy")
    lose(databases, part=1)
    assert files_in(databases) == before[1:]
    section = SectionRef(id=1, title="Movies")
    fates: tuple[Fate, ...] = ("lost", "confirmed")
    removals = [
        (section, Removal(part=number, title="x", file=file, fate=fate))
        for number, (file, fate) in enumerate(zip(before, fates, strict=False), 1)
    ]
    write_removals(reader.place / "removals.jsonl", removals)
    page = (DOCS / "how-to/recover-a-library.md").read_text()
    (grep,) = re.findall(r"^    (grep .*)$", page, re.MULTILINE)
    subprocess.run(["bash", "-c", grep], cwd=reader.place, check=True)
    assert len((reader.place / "lost.jsonl").read_text().splitlines()) == 1
    dry, change, check = typed("how-to/recover-a-library.md")[:3]
    assert "would" in reader.type(dry) or files_in(databases) == before[1:]
    reader.type(change)
    assert files_in(databases) == before
    reader.type(check)
    for line in typed("how-to/recover-a-library.md")[3:]:
        reader.type(line)
    assert files_in(databases) == before[1:]  # undone again, as the page goes on to show


def lose(databases: Path, *, part: int) -> None:
    """Put the only file of an item, and the item, into the trash, as a scan that does not find it does."""
    with closing(sqlite3.connect(databases / "com.plexapp.plugins.library.db")) as conn, conn:
        (version,) = conn.execute("SELECT media_item_id FROM media_parts WHERE id = ?", (part,)).fetchone()
        (item,) = conn.execute("SELECT metadata_item_id FROM media_items WHERE id = ?", (version,)).fetchone()
        for table, row in (("media_parts", part), ("media_items", version), ("metadata_items", item)):
            conn.execute(f"UPDATE {table} SET deleted_at = 1700000000 WHERE id = ?", (row,))
