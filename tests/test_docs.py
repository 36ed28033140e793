"""Proves the documentation: its links, its quotations, and the pages that are made from the program."""

import ast
import functools
import re
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from plexsuper.cli import app
from plexsuper.cli.describe import cli, exit_codes
from plexsuper.config import describe
from plexsuper.errors import ExitCode
from tests.doc_pages import DOCS, FENCE, PAGES, ROOT, SETTINGS, SOMEBODYS, anchors, links, name

pytestmark = pytest.mark.blocking("reads the pages of the documentation")


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
    assert all(max(above) <= min(below) for above, below in pairwise(numbers))


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
    commands_ = (
        "plexsuper",
        "fusermount3",
        "kill ",
        "--",
        "PLEX",
        "plex.",
        "media.",
        "library.",
        "guard.",
        "Library/",
        "/",
    )
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
