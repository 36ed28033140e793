"""One walk of a scanner through a section: what is new, what is missing, what is back.

Recorded from real servers: a folder whose time has not changed is passed over without a look at its files; files
missing from a folder that can be listed are removed, 221 of 224 films within two seconds; whole folders that are gone
kept their items. What real servers do about a location that is missing, empty or failing is not known for sure: knobs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from plexsuper.simulator.core import Core
from plexsuper.simulator.library.catalogue import Place
from plexsuper.simulator.library.holdings import Known
from plexsuper.simulator.library.naming import add_file
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.media.tree import Listing, Tree, is_media


@dataclass(slots=True)
class Harvest:
    """What a walk did so far."""

    folders: int = 0
    expected: int = 1
    """Folders that are known to be there so far, so that `folders / expected` is the progress."""
    skipped: int = 0
    added: int = 0
    removed: int = 0
    restored: int = 0

    @property
    def changed(self) -> bool:
        """Whether the section is not what it was."""
        return bool(self.added or self.removed or self.restored)


class Walk:
    """Walks through one section and brings the library up to date."""

    def __init__(
        self,
        core: Core,
        section: Section,
        tree: Tree,
        *,
        force: bool,
        found: Callable[[int], None],
        visited: Callable[[Harvest], None],
    ) -> None:
        self.harvest = Harvest()
        self.stopping = False
        """Set it to let the walk end after the current folder."""
        self._core = core
        self._section = section
        self._tree = tree
        self._force = force
        self._found = found
        self._visited = visited
        self._costs = core.costs()
        self._folders = core.library.folders(section.id)
        self._children = _children(self._folders)

    async def run(self, path: str | None) -> None:
        """Walk through all locations, or only through *path* and what is below it."""
        await self._costs.charge(self._core.knobs.scan_seconds)
        for place in self._core.library.places(self._section.id):
            if path is None or path.rstrip("/") == place.root.rstrip("/"):
                await self._location(place)
            elif place.holds(path):
                await self._folder(place, place.relative_folder(path.rstrip("/") + "/"))
        await self._costs.settle()

    async def _location(self, place: Place) -> None:
        knobs = self._core.knobs
        self._core.logs.scanner(f"Scanning {self._section.title} using {self._section.scanner}", context="")
        try:
            listing = await self._tree.listing(place.root)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            self._warn(place.root, error)
            self._mark(place, available=False)
            if (knobs.root_missing if missing else knobs.root_failing) == "remove":
                await self._remove_below(place, "")
            return
        self._mark(place, available=True)
        if not listing.files and not listing.folders:
            if knobs.root_empty == "remove":
                await self._remove_below(place, "")
            return
        await self._visit(place, "", listing)

    async def _folder(self, place: Place, relative: str) -> None:
        if self.stopping:
            return
        await self._costs.charge(self._core.knobs.folder_seconds)
        path = f"{place.root.rstrip('/')}/{relative}"
        try:
            mtime = await self._tree.mtime(path)
            listing = None if self._is_unchanged(relative, mtime) else await self._tree.listing(path)
        except OSError as error:
            self._warn(path, error)
            if self._core.knobs.folder_failing == "remove":
                await self._remove_below(place, relative)
            return
        await self._visit(place, relative, listing)

    async def _visit(self, place: Place, relative: str, listing: Listing | None) -> None:
        """Look at a folder, and go down; an unchanged one (no *listing*) is passed over but its folders are not."""
        path = f"{place.root.rstrip('/')}/{relative}".rstrip("/")
        self.harvest.folders += 1
        if listing is None or (not relative and self._is_unchanged(relative, listing.mtime)):
            folder = self._folders[relative][0]
            count = len(self._core.library.known_in(folder))
            self._core.logs.scanner(
                f"Skipping over directory '{relative}', as nothing has changed; removing {count} media items from map."
            )
            self.harvest.skipped += 1
            below = self._children.get(relative, [])
        else:
            self._core.logs.scanner(f"Scanner: Processing directory {path}")
            await self._compare(place, relative, path, listing)
            below = [f"{relative}/{name}".lstrip("/") for name in listing.folders if not name.startswith(".")]
            for gone in set(self._children.get(relative, [])) - set(below):
                if self._core.knobs.folder_missing == "remove":
                    await self._remove_below(place, gone)
        self.harvest.expected += len(below)
        self._visited(self.harvest)
        for child in below:
            await self._folder(place, child)
        if listing is not None and not self.stopping:
            # Only now: a scan that is broken off must come back to the folders below that it never saw
            with transaction(self._core.library.conn):
                self._core.library.visited(self._section.id, relative, listing.mtime)

    async def _compare(self, place: Place, relative: str, path: str, listing: Listing) -> None:
        library = self._core.library
        known = {}
        if relative in self._folders:
            prefix = f"{path}/"
            for item in library.known_in(self._folders[relative][0]):
                if item.file.startswith(prefix):
                    known[item.file[len(prefix) :]] = item
        listed = [name for name in listing.files if is_media(name, self._section.type)]
        sizes = await self._tree.sizes(path, listed)
        await self._costs.charge(self._core.knobs.file_seconds * len(listed))
        present = {
            name: size
            for name in listed
            if (size := sizes[name]) is not None and await self._counts_as_there(f"{path}/{name}")
        }
        for name in [name for name in known if name not in present]:
            if not known[name].trashed:
                await self._remove(known[name])
        if self._core.knobs.file_returns == "restored":
            for name in [name for name in known if name in present and known[name].trashed]:
                await self._restore(known[name])
        for name, size in present.items():
            if name not in known:
                await self._add(place, f"{path}/{name}", size)

    async def _counts_as_there(self, file: str) -> bool:
        if self._core.knobs.file_failing == "keep":
            return True
        try:
            await self._tree.read(file)
        except OSError:
            return False
        return True

    async def _add(self, place: Place, file: str, size: int) -> None:
        await self._costs.charge(self._core.knobs.item_seconds)
        section = self._section
        with transaction(self._core.library.conn):
            item = add_file(self._core.library, section.id, section.type, file, root=place.root, size=size)
        self.harvest.added += 1
        self._found(item)

    async def _remove(self, known: Known) -> None:
        await self._costs.charge(self._core.knobs.removal_seconds)
        name = known.file.rpartition("/")[2]
        self._core.logs.scanner(f"File '{name}' didn't exist")
        with transaction(self._core.library.conn):
            self._core.library.trash.mark_deleted([known.part])
        self.harvest.removed += 1
        self._core.truth.record("item.trashed", section=self._section.id, item=known.item, file=known.file)

    async def _restore(self, known: Known) -> None:
        await self._costs.charge(self._core.knobs.file_seconds)
        with transaction(self._core.library.conn):
            self._core.library.trash.undelete([known.part])
        self.harvest.restored += 1
        self._core.truth.record("item.restored", section=self._section.id, item=known.item, file=known.file)

    async def _remove_below(self, place: Place, relative: str) -> None:
        within = [
            name
            for name in self._folders
            if not relative or name == relative or name.startswith(f"{relative}/")
        ]
        for name in within:
            for known in self._core.library.known_in(self._folders[name][0]):
                if place.holds(known.file) and not known.trashed:
                    await self._remove(known)

    def _is_unchanged(self, relative: str, mtime: int) -> bool:
        known = self._folders.get(relative)
        return not self._force and known is not None and known[1] == mtime >= 0

    def _mark(self, place: Place, *, available: bool) -> None:
        if self._core.knobs.available_flips:
            self._core.library.set_available(place.location_id, available=available)

    def _warn(self, path: str, error: OSError) -> None:
        self._core.logs.scanner(
            f"Caught exception while scanning {self._section.title}:"
            f' boost::filesystem::directory_iterator::construct: {error.strerror}: "{path}"',
            level="WARN",
        )


def _children(folders: dict[str, tuple[int, int]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in folders:
        if name:
            found.setdefault(name.rpartition("/")[0], []).append(name)
    return found
