"""Which sections a run is about: all of them, or those that the user names by title or id."""

import difflib
from collections.abc import Sequence

from plexsuper.errors import SettingsError
from plexsuper.terms import Section


def choose(
    sections: Sequence[Section], wanted: Sequence[str], *, strange: Sequence[str] = ()
) -> tuple[Section, ...]:
    """Return the *wanted* sections (titles or ids) in their order, or all of them by id if none is named.

    Plex may have several sections of one title: then all of them are wanted. *strange* are the titles of those that are
    of an unknown type.

    Raises:
        SettingsError: a wanted section does not exist, with the nearest title; or its type is not known.
    """
    if not wanted:
        return tuple(sorted(sections, key=lambda section: section.id))
    chosen: list[Section] = []
    unknown: list[str] = []
    titles = [section.title for section in sections]
    for name in wanted:
        found = [section for section in sections if section.title == name] or _numbered(name, sections)
        if not found and name in strange:
            unknown.append(
                f"Section {name!r} is of a type that plexsuper does not know: it cannot be indexed"
            )
        elif not found:
            unknown.append(f"There is no section {name!r} on this server; {nearest(name, titles)}")
        chosen += [section for section in found if section not in chosen]
    if unknown:
        raise SettingsError("\n".join(unknown))
    return tuple(chosen)


def named(title: str, sections: Sequence[Section]) -> Section | None:
    """Return the section with this very title; Plex may have two of them, then the first."""
    return next((section for section in sections if section.title == title), None)


def nearest(wanted: str, names: Sequence[str]) -> str:
    """Return a hint for somebody who wrote *wanted* and meant one of *names*."""
    near = difflib.get_close_matches(wanted, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"


def _numbered(name: str, sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if str(section.id) == name]
