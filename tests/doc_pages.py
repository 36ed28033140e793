"""Reads the pages of the documentation as a reader does: their links, their headings, their commands."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

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


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


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
        comments = re.findall(
            r"^#\s+(?:at home:|there:)?\s*(plexsuper [^#\n]*)", file.read_text(), re.MULTILINE
        )
        found += [(name(file), part.strip()) for line in comments for part in line.split("&&")]
    return sorted(set(found))
