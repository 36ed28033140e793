"""Proves that the reference of the events is the one the types give."""

import re
from pathlib import Path

from plexsuper import eventdoc
from plexsuper import events as e
from plexsuper.stream import type_name

DOCS = Path(__file__).resolve().parents[1] / "docs" / "events.md"


def test_the_page_in_the_repository_is_up_to_date():
    assert DOCS.read_text() == eventdoc.page(), "run: python -m plexsuper.eventdoc > docs/events.md"


def test_the_page_has_every_event_and_no_broken_link():
    page = eventdoc.page()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert {type_name(cls) for cls in e.EVENT_TYPES} <= set(headings)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links <= anchors
    assert "lesson" not in page
