"""Climbs the ladder of repairs on a private copy until the check passes, then puts the copy in the original's place."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plexsuper.database.check.examination import check_database
from plexsuper.database.check.report import CheckReport
from plexsuper.database.check.unchanged import file_state
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.repair.contradictions import contradictions, rows_only_in_indexes
from plexsuper.database.repair.evidence import is_special
from plexsuper.database.repair.exchanged import put_in_place
from plexsuper.database.repair.objects import keep_sequences, missing_objects, renew_own_tables
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.plexonly import restore_custom_index
from plexsuper.database.repair.replace import take_place
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.rootless import give_roots
from plexsuper.database.repair.schema_tree import (
    make_usable,
    mend_declarations,
    parse_error,
    rescue_schema_tree,
)
from plexsuper.database.repair.strays import hosts_of_foreign_leaves, rescue_tables, suspected_tables
from plexsuper.database.repair.surgery import free_the_unowned, rebuild_indexes, schema_of
from plexsuper.database.repair.virtual import full_text_over, heal, hurt_tables, refresh
from plexsuper.database.repair.workshop import (
    apply_log,
    as_database_errors,
    duplicate,
    foreign_log,
    log_of,
    make_whole,
    workshop,
)
from plexsuper.database.schema import Schema
from plexsuper.errors import DatabaseError

_ROUNDS = 8


def repair_database(
    path: Path,
    *,
    workdir: Path | None = None,
    progress: ProgressCallback | None = None,
    plex_sqlite: Sequence[str] | None = None,
    before: CheckReport | None = None,
) -> RepairReport:
    """Repair the database at *path*, library or blobs, of a Plex that is not running.

    All work is done on a copy in *workdir* (default: beside the database). The copy replaces the original only when it has
    passed the full check; the damaged file, its `-wal` and its `-shm` are kept under a dated name. Until then the original is
    not touched. Without *plex_sqlite* (the command that runs `Plex SQLite`) a damaged index or full-text index that only Plex
    can build is left out or empty, and `RepairReport.states` says so. *before* is the report of a full check of the very same
    file; with it the first check is saved.

    Raises:
        DatabaseError: it cannot be repaired, there is no space, or the file is in use; the original is as it was.
    """
    started = time.monotonic()
    tell = progress or (lambda _progress: None)
    if before is None or not before.full or before.state != file_state(path):
        before = check_database(path, progress=tell, plex_sqlite=plex_sqlite)
    report = RepairReport(path=path, before=before)
    if before.healthy:
        report.after = before
    else:
        with as_database_errors(path):
            _Repair(path, workdir, tell, plex_sqlite, report).run()
    report.seconds = time.monotonic() - started
    return report


@dataclass(slots=True)
class _Repair:
    path: Path
    workdir: Path | None
    tell: ProgressCallback
    plex_sqlite: Sequence[str] | None
    report: RepairReport
    copy: Path = Path()
    versions: tuple[int, int] = (2, 2)
    hurt: set[str] = field(default_factory=set)
    proved: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    spoilt: set[str] = field(default_factory=set)

    def run(self) -> None:
        logged = log_of(self.path) is not None
        self.report.left_out = "" if logged else foreign_log(self.path)
        with workshop(self.path, self.workdir, 2 if logged else 1) as directory:
            self.copy = directory / self.path.name
            self._say("copy")
            apply_log(self.path, self.copy)
            applied = directory / "applied" if logged else None
            if applied:
                duplicate(self.copy, applied)
            self._mend_file()
            objects = schema_of(self.copy).objects
            self.report.after = self._climb(self._put_in_place())
            self.report.missing_objects = missing_objects(objects, schema_of(self.copy).objects)
            self._settle()
            self._swap(applied)

    def _say(self, step: str) -> None:
        self.tell(Progress(f"repair: {step}", 0, None, "steps"))

    def _mend_file(self) -> None:
        kinds = {finding.kind for finding in self.report.before.findings}
        if make_whole(self.copy, distrust=bool(kinds & {"header", "schema"})):
            self.report.step("header")
        with PageFile(self.copy) as pages:
            self.versions = (pages.header.write_version, pages.header.read_version)
        rescue_schema_tree(self.copy, self.report)
        make_usable(self.copy)
        give_roots(self.copy, self.report)
        if "schema" in kinds or "sqlite_schema" in self.report.tables or parse_error(self.copy):
            mend_declarations(self.path, self.copy, self.report)
        if error := parse_error(self.copy):
            raise DatabaseError(
                f"the schema of {self.path} is damaged beyond repair ({error}); restore a snapshot or one of Plex's"
                " dated copies"
            )

    def _check(self) -> CheckReport:
        self._settle()
        return check_database(self.copy, progress=self.tell, earlier=self.report.before)

    def _put_in_place(self) -> CheckReport:
        """Give tables that have changed places their own trees; return what is known of the copy then."""
        # The copy starts as the original was when it was checked
        changed = self.report.steps or self.report.notes or self.report.left_out
        checked = self._check() if changed else self.report.before
        return put_in_place(self.copy, self.report, checked, self._check)

    def _climb(self, checked: CheckReport) -> CheckReport:
        tried: list[tuple[frozenset[tuple[str, str]], frozenset[str]]] = []
        for turn in range(_ROUNDS):
            if turn:
                checked = self._check()
            if checked.healthy and not self.hurt and not self.stale:
                return checked
            left = frozenset((finding.object, finding.message) for finding in checked.findings)
            state = (left, frozenset(self.hurt))
            if left and state in tried:
                break
            tried.append(state)
            self._improve(checked)
        said = "; ".join(f"{finding.object}: {finding.message}" for finding in checked.findings[:5])
        raise DatabaseError(
            f"{self.path} could not be repaired, it is as it was; left over: {said}; restore a snapshot or one of Plex's"
            " dated copies"
        )

    def _settle(self) -> None:
        with PageFile(self.copy) as pages:
            pages.set_versions(*self.versions)

    def _improve(self, checked: CheckReport) -> None:
        """Do what the worst finding asks for; the next check tells what is left."""
        schema = schema_of(self.copy)
        indexes = {finding.object for finding in checked.findings if finding.kind == "index"}
        broken = {finding.object for finding in checked.findings if finding.kind == "rtree"}
        if self._rescue(checked, schema):
            return
        if indexes & schema.indexes.keys():
            self._say("indexes")
            self._rebuild(indexes & schema.indexes.keys())
        elif broken or self.hurt or self.stale or self.spoilt:
            self._say("virtual tables")
            self._heal(schema, broken)
            free_the_unowned(self.copy, schema)
        else:
            self.report.step("free page list")
            free_the_unowned(self.copy, schema)

    def _rescue(self, checked: CheckReport, schema: Schema) -> bool:
        """Rebuild damaged tables; say whether there was one."""
        tables = {
            finding.object for finding in checked.findings if finding.kind == "table"
        } & schema.tables.keys()
        again = {name for name in tables & self.report.tables.keys() if is_special(schema.tables[name])}
        self.spoilt |= again  # of these the indexes do not hold what matters
        tables -= again
        suspects = suspected_tables(checked, schema)
        if any(finding.kind == "freelist" for finding in checked.findings):
            suspects |= hosts_of_foreign_leaves(self.copy, schema)  # whose own leaves belong to nothing then
        suspects -= self.proved
        self.proved |= suspects
        if not tables | suspects:
            return False
        self._say("tables")
        rescued = rescue_tables(self.copy, schema, tables | suspects, self.report)
        if not rescued:  # its pages are its own, but not what is in its rows
            self.spoilt |= tables
            return False
        self.hurt |= {name for name in rescued if hurt_tables(schema, [name])}
        self.stale |= {name for name in rescued if self._changed(name) and full_text_over(schema, name)}
        keep_sequences(self.copy, schema, rescued)
        free_the_unowned(self.copy, schema)
        return True

    def _heal(self, schema: Schema, broken: set[str]) -> None:
        spoilt = hurt_tables(schema, self.spoilt)
        self.report.notes += renew_own_tables(self.copy, schema, self.spoilt)
        for item in hurt_tables(schema, self.hurt | self.spoilt | {f"{name}_node" for name in broken}):
            lost = any(self._changed(f"{item.name}_{part}") for part in ("segdir", "content"))
            lost = lost or item in spoilt
            healed = heal(self.copy, item, self.plex_sqlite, lost=lost)
            self.report.states[item.name] = healed.state
            if healed.lost_boxes:
                self.report.lost_boxes[item.name] = healed.lost_boxes
        self._refresh_full_text()
        self.hurt.clear()
        self.stale.clear()
        self.spoilt.clear()

    def _changed(self, table: str) -> bool:
        result = self.report.tables.get(table)
        return result is not None and bool(result.rebuilt or result.lost or result.lost_pages)

    def _rebuild(self, names: set[str]) -> None:
        schema = schema_of(self.copy)
        ordinary = frozenset(name for name in names if not schema.indexes[name].custom_collation)
        self.report.step("index surgery")
        for name in sorted(names - ordinary):  # first: the other indexes still bear witness of the table
            index = schema.indexes[name]
            state = restore_custom_index(self.copy, schema.tables[index.table], index, self.plex_sqlite)
            self.report.states[name] = state
        self.report.notes += contradictions(self.copy, schema_of(self.copy), ordinary)
        self.report.only_indexed |= rows_only_in_indexes(self.copy, schema_of(self.copy), ordinary)
        for dropped in rebuild_indexes(self.copy, schema_of(self.copy), ordinary):
            self.report.note_dropped(dropped.table, len(dropped.rows), str(dropped))
        self.report.indexes += sorted(ordinary)
        if names - ordinary:
            free_the_unowned(self.copy, schema_of(self.copy))

    def _refresh_full_text(self) -> None:
        """Full-text tables over a table that has lost rows or titles no longer hold its words."""
        schema = schema_of(self.copy)
        for item in {
            item.name: item for name in self.stale for item in full_text_over(schema, name)
        }.values():
            if item.name not in self.report.states:
                self.report.states[item.name] = refresh(self.copy, item, self.plex_sqlite)

    def _swap(self, applied: Path | None) -> None:
        self._say("swap")
        if file_state(self.path) != self.report.before.state:
            raise DatabaseError(
                f"{self.path} was changed while it was repaired (has Plex run meanwhile?); nothing was changed, repair it again"
            )
        self.report.kept = take_place(self.path, self.copy, applied)
        self.report.changed = True
