"""Proves the documentation: its links, its commands, its quotations, and the pages that are made from the program."""

import ast
import functools
import json
import os
import re
import shlex
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
import typer
from typer.testing import CliRunner

from plexsuper.cli import app
from plexsuper.cli.database import app as database_app
from plexsuper.cli.deploy import app as deploy_app
from plexsuper.cli.describe import cli, exit_codes
from plexsuper.clients.removal_report import write_removals
from plexsuper.config import describe
from plexsuper.errors import ExitCode
from plexsuper.terms import Fate, Removal, SectionRef
from tests.real_run import FAST
from tests.real_simulator import PATIENCE, TOKEN, Simulator, simulator, write_media

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *DOCS.rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ]
)
SETTINGS = sorted((ROOT / "examples").rglob("*.toml"))

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"``?[^`]+``?")
OURS = re.compile(r"^(?:\$ )?(?:sudo )?((?:plexsuper|scripts/[a-z_-]+(?:\.sh)?)(?: \S.*)?)$")
SOMEBODYS = re.compile(
    r"/(?:work|home|Users)/\w+|/tmp/(?!plexsuper)\w+|\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b|192\.168\.)(?:\d{1,3}\.){3}\d{1,3}\b"
)
PASSED_ON = {"db": database_app, "deploy": deploy_app}

pytestmark = pytest.mark.blocking("reads the pages of the documentation")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- links -----------------------------------------------------------------------------------------------


@functools.cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of *page*."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", FENCE.sub("", page.read_text()), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


def links(page: Path) -> list[str]:
    return LINK.findall(CODE.sub("", FENCE.sub("", page.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(page):
    wrong = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or not target.is_relative_to(ROOT):
            wrong.append(link)
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            wrong.append(f"{link}: {sorted(anchors(target))}")
    assert wrong == []


def test_every_page_is_reached_from_the_index():
    reached = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "README.md")}
    assert {page for page in DOCS.rglob("*.md") if page.name != "README.md"} <= reached
    assert any(link.startswith("docs/README.md") for link in links(ROOT / "README.md"))


@pytest.mark.parametrize("page", [*PAGES, *SETTINGS], ids=name)
def test_no_page_names_a_place_on_somebodys_machine(page):
    assert SOMEBODYS.findall(page.read_text()) == []


# --- pages that are made from the program ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "made", "how"),
    [
        ("cli.md", cli, "plexsuper.cli.describe cli"),
        ("exit-codes.md", exit_codes, "plexsuper.cli.describe exit-codes"),
        ("settings.md", describe.settings_page, "plexsuper.config.describe"),
    ],
)
def test_the_references_are_those_that_the_program_gives(page, made, how):
    assert (DOCS / page).read_text() == made(), f"run: python -m {how} > docs/{page}"


def test_the_readme_and_the_help_name_the_same_exit_codes_as_the_program():
    table = re.findall(r"^\| (\d+) \| (?!`)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [int(code) for code in table] == [code.value for code in ExitCode]
    told = CliRunner().invoke(app, ["--help"]).output
    assert all(re.search(rf"\b{code.value}\b", told.partition("Exit codes")[2]) for code in ExitCode)


def test_the_architecture_names_the_packages_in_the_order_of_the_import_contract():
    contract = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2].partition("\n]")[0]
    layers = [set(re.findall(r"\w+", line)) for line in re.findall(r'"([^"]+)"', contract)]
    table = (DOCS / "architecture.md").read_text().partition("| from top to bottom |")[2].partition("\n\n")[0]
    rows = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines()[2:]]
    assert set().union(*rows) == set().union(*layers)
    place = {module: number for number, layer in enumerate(layers) for module in layer}
    numbers = [{place[module] for module in row} for row in rows]
    assert all(max(above) <= min(below) for above, below in zip(numbers, numbers[1:], strict=False))


# --- commands --------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[str]:
    """Yield the commands of ours that stand on lines of their own, indented or fenced, without their comments."""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        bare = re.sub(r"\s+# .*$", "", line).strip()
        if (fenced or line.startswith("    ")) and (found := OURS.match(bare)):
            yield re.sub(r"[][]", "", found[1]) if "[--" in bare else found[1]


def written() -> list[tuple[str, str]]:
    """Return all commands of the documentation, and those in inline code that have options, each with its page."""
    pages = [page for page in PAGES if page.name != "cli.md"]  # which shows shapes, made from the same parser
    found = [(name(page), line) for page in pages for line in commands(page.read_text())]
    for page in PAGES:
        inline = re.findall(r"`(plexsuper [^`\n]*--[^`\n]*)`", FENCE.sub("", page.read_text()))
        found += [(name(page), line) for line in inline if "…" not in line and "..." not in line]
    for file in SETTINGS:
        comments = re.findall(r"^#\s+(?:at home:|there:)?\s*(plexsuper [^#\n]*)", file.read_text(), re.MULTILINE)
        found += [(name(file), part.strip()) for line in comments for part in line.split("&&")]
    return sorted(set(found))


def parse(words: list[str]) -> None:
    """Let the program's own parser read a command; it raises for what it does not know."""
    group: Any = typer.main.get_command(app)
    if words and words[0] in PASSED_ON:
        inner: Any = typer.main.get_command(PASSED_ON[words[0]])
        if words[1:2] in (["inject"], ["export"]):  # both are paths, so the parser cannot tell them apart
            assert ".tar." not in words[2], words
        words = words[1:]
        if words[:1] == ["deploy"] or not hasattr(inner, "commands"):
            inner.make_context("deploy", words)
            return
        inner.commands[words[0]].make_context(words[0], words[1:])
        return
    command = group.commands.get(words[0]) if words and not words[0].startswith("-") else None
    if command is None:
        known = {option for one in group.params for option in one.opts}
        rest = [word for word in words if word not in known]
        assert not rest or rest[0].startswith("--"), words
        group.commands["run"].make_context("run", rest)
        return
    if inner_group := getattr(command, "commands", None):
        at = next((number for number, word in enumerate(words[1:], 1) if word in inner_group), None)
        if at is not None:
            inner_group[words[at]].make_context(words[at], words[at + 1 :])
            return
    command.make_context(words[0], words[1:], resilient_parsing=False)


@pytest.mark.parametrize(("page", "line"), written())
def test_every_command_in_the_documentation_is_one_that_the_program_understands(page, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = re.split(r" (?:\||>|>>|&&|;) ", line)[0].replace(" >", "")
    program, *words = shlex.split(alone)
    if any(word in {"--help", "--version", "--install-completion", "--list-knobs"} for word in words):
        words = []
    if program == "plexsuper" or program in {"scripts/demo", "scripts/deploy"}:
        words = [*({"scripts/demo": ["demo"], "scripts/deploy": ["deploy"]}.get(program, [])), *words]
        if any("|" in word for word in words):  # a list of verbs to choose from
            verbs = next(word for word in words if "|" in word).split("|")
            group: Any = typer.main.get_command(database_app)
            assert set(verbs) <= set(group.commands), page
            return
        parse(words)
        return
    script = ROOT / program
    assert os.access(script, os.X_OK), f"{page}: {program} is no program"
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    text = script.read_text() + (ROOT / "tests" / "conftest.py").read_text() + (ROOT / "tests" / "lessons.py").read_text()
    assert [option for option in options if option not in text] == [], page


# --- quotations ------------------------------------------------------------------------------------------


@functools.cache
def said() -> str:
    """Return all texts of the program, one a line; `…` stands where a value is put in."""
    texts = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"\{[^}]*\}", "…", node.value))
    return "\n".join(text.replace("\n", " ") for text in texts)


def quotations() -> list[str]:
    """Return what troubleshooting says that the program says: code of several words that is no command and no setting."""
    text = FENCE.sub("", (DOCS / "troubleshooting.md").read_text())
    found = re.findall(r"`([^`\n]+)`", text)
    commands_ = ("plexsuper", "fusermount3", "kill ", "--", "PLEX", "plex.", "media.", "library.", "guard.", "Library/", "/")
    return [one for one in found if " " in one and not one.startswith(commands_)]


@pytest.mark.parametrize("quotation", quotations())
def test_every_message_in_troubleshooting_is_one_that_the_program_says(quotation):
    wanted = [re.escape(part.strip()) for part in quotation.split("…") if part.strip()]
    assert re.search(r"[^\n]*".join(wanted), said()), quotation


def test_every_setting_that_a_page_names_exists():
    known = set(re.findall(r"^\| `([a-z_.]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE))
    known |= {"plex.docker", "timing.budgets"}
    events = set(re.findall(r"^#+ ([a-z_.]+)$", (DOCS / "events.md").read_text(), re.MULTILINE))
    files = (".py", ".md", ".toml", ".json", ".db", ".prom", ".jsonl", ".zst", ".gz")
    tables = {key.partition(".")[0] for key in known if "." in key}
    for page in PAGES:
        if page.name in {"CHANGELOG.md", "events.md"}:
            continue
        named = re.findall(r"`([a-z]+\.[a-z_.]+)(?: = [^`]*)?`", FENCE.sub("", page.read_text()))
        settings = [key for key in named if key.partition(".")[0] in tables and not key.endswith(files)]
        assert [key for key in settings if key not in known | events] == [], page


# --- pages that are carried out --------------------------------------------------------------------------


class Reader:
    """Somebody who types the commands of a page one after the other in a directory of their own."""

    def __init__(self, place: Path, places: dict[str, str], **environment: str) -> None:
        self.place = place
        self._places = places
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PLEX_", "PLEXSUPER_"))}
        self._environment = kept | {"NO_COLOR": "1", "COLUMNS": "120"} | environment

    def type(self, line: str, code: int = 0) -> str:
        """Type *line* and return what it says; its exit code must be *code*."""
        for old, new in self._places.items():
            line = line.replace(old, new)
        words = shlex.split(line)
        words[0:1] = [sys.executable, "-m", "plexsuper"]
        done = subprocess.run(
            words, cwd=self.place, env=self._environment, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == code, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr


def page_commands(page: str, begin: str = "", end: str = "\0") -> list[str]:
    """Return the commands of a page between two texts."""
    return list(commands((DOCS / page).read_text().partition(begin)[2].partition(end)[0] if begin else (DOCS / page).read_text()))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Simulator]:
    """A Plex of the reader, with films and music in it."""
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--time-scale", "8") as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_tutorial_can_be_followed_step_by_step_and_ends_well(served, tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    page = (DOCS / "first-run.md").read_text()
    config_dir = next(p for p in (served.layout.databases, *served.layout.databases.parents) if p.name == "data")
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
        if line in {"plexsuper demo", "plexsuper watch"}:  # the demo has its own test; watch is for another terminal
            continue
        said_by[line] = reader.type(line)
        if line == "plexsuper init":
            shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
            assert shown is not None
            told = shown[1].replace("/var/lib/plexmediaserver", str(config_dir)).replace("/srv/media", str(served.media))
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


# --- the how-to pages: the database commands are typed for real, on the library that a server left -----------


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[tuple[Reader, Path]]:
    """The reader at a stopped Plex with films and music, and the directory of its databases."""
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--time-scale", "8") as server:
        databases = server.layout.databases
        scan(server, *(section for (section,) in ask(databases, "SELECT id FROM library_sections")))
        server.stop()
    place = tmp_path / "home"
    place.mkdir()
    (tmp_path / "there").mkdir()
    (place / "mappings.json").write_text(
        json.dumps({"mappings": [{"from": str(tmp_path / "media"), "to": "/data/media"}]})
    )
    support = str(databases.parents[1])
    places = {
        "plex@home:/var/lib/plexmediaserver/Library/Application Support/Plex Media Server": support,
        "/var/lib/plexmediaserver": str(tmp_path / "data"),
        "/srv/plexsuper/config": str(tmp_path / "there"),
    }
    yield Reader(place, places), databases


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
    return [line for line in commands((DOCS / page).read_text()) if line.startswith(("plexsuper db ", "plexsuper deploy "))]


def files_in(databases: Path) -> list[str]:
    return [file for (file,) in ask(databases, "SELECT file FROM media_parts WHERE deleted_at IS NULL ORDER BY id")]


@pytest.mark.slow
def test_a_server_is_moved_and_comes_home_by_the_commands_of_the_page(at_home, tmp_path):
    reader, databases = at_home
    before = files_in(databases)
    lines = typed("how-to/move-a-server.md")
    for line in lines:
        if "restore" not in line:  # which wants something to undo, and gets it below
            reader.type(line)
    assert len(before) == 7
    assert files_in(databases) == before
    there = next((tmp_path / "there").rglob("com.plexapp.plugins.library.db")).parent
    assert files_in(there) == before
    assert sum("restore" in line for line in lines) == 2
    for line in lines:
        if "restore" in line:
            reader.type(line)
    assert files_in(databases) == before


@pytest.mark.slow
def test_paths_are_mapped_and_mapped_back_by_the_commands_of_the_page(at_home, tmp_path):
    reader, databases = at_home
    before = files_in(databases)
    reader.type("plexsuper db export /var/lib/plexmediaserver library.tar.zst")
    reader.type("plexsuper db inject /srv/plexsuper/config library.tar.zst")
    there = next((tmp_path / "there").rglob("com.plexapp.plugins.library.db")).parent
    dry, change, undo = typed("how-to/map-paths.md")
    reader.type(dry)
    assert files_in(there) == before
    reader.type(change)
    assert files_in(there) == [file.replace(str(tmp_path / "media"), "/data/media") for file in before]
    reader.type(undo)
    assert files_in(there) == before


@pytest.mark.slow
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
    dry, change, check = [line for line in typed("how-to/recover-a-library.md")][:3]
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
