"""Finds the pages of a copy that no tree needs, so that they can be free pages."""

from contextlib import closing

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.freelist import special_pages
from plexsuper.database.check.ownership import judge_ownership
from plexsuper.database.check.survey import Survey
from plexsuper.database.connection import SQLITE_ERRORS, connect, explain
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.schema import Schema

_PAGES = "SELECT pageno, pagetype IN ('internal', 'leaf', 'overflow') FROM dbstat"


def unowned_pages(pages: PageFile, schema: Schema) -> list[int]:
    """The pages that no tree of *schema* has, if the free page list is empty."""
    owned = _owned_by_sound_trees(pages)
    if owned is None:
        return judge_ownership(Survey(pages), schema).survey.unused()
    return [number for number, taken in enumerate(owned) if not taken]


def _owned_by_sound_trees(pages: PageFile) -> bytearray | None:
    """Which pages have an owner, by SQLite's own statistics: several times as fast as a survey.

    `None` where a page is damaged or has two owners (the survey judges that), or this SQLite keeps no statistics.
    """
    owned = bytearray(pages.page_count + 1)
    owned[0] = 1  # no page has this number
    for number, _ in special_pages(pages):
        owned[number] = 1
    try:
        with closing(connect(immutable_uri(pages.path))) as conn:
            for number, sound in conn.execute(_PAGES):
                if not sound or number >= len(owned) or owned[number]:
                    return None
                owned[number] = 1
    except SQLITE_ERRORS as error:
        explain(error)
        return None
    return owned
