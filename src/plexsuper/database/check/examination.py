"""Says whether a stopped Plex's database is sound, without false alarm on Plex's schema and without false comfort."""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from plexsuper.database.access import readable_uri, refuse_if_open
from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.blame import judge_fairly
from plexsuper.database.check.crew import Crew, Job, crew_size
from plexsuper.database.check.diagnosis import name_the_damaged
from plexsuper.database.check.file_checks import judge_file, notes_on_file
from plexsuper.database.check.jobs import full_jobs, quick_jobs, tree_jobs
from plexsuper.database.check.orphans import relation_of
from plexsuper.database.check.ownership import Ownership, judge_ownership
from plexsuper.database.check.page_tally import tally_pages
from plexsuper.database.check.plex_tool import check_with_plex_sqlite
from plexsuper.database.check.report import CheckReport, Finding, Unjudged
from plexsuper.database.check.survey import Survey
from plexsuper.database.check.table_checks import Complaint
from plexsuper.database.check.unchanged import Owners, file_state, sound_before
from plexsuper.database.check.unjudged import beyond_stock_sqlite
from plexsuper.database.check.verdict import Verdict
from plexsuper.database.connection import SQLITE_ERRORS, connect, explain
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.schema import Schema, is_text, read_schema
from plexsuper.errors import DatabaseError

_ESSENTIAL = "library_sections", "metadata_items", "media_items", "media_parts"
_SMALL = 16 << 20
"""Below this size threads cost more than they bring."""


def check_database(
    path: Path,
    *,
    full: bool = True,
    progress: ProgressCallback | None = None,
    plex_sqlite: Sequence[str] | None = None,
    earlier: CheckReport | None = None,
) -> CheckReport:
    """Check the database at *path*, library or blobs, of a Plex that is not running; nothing is ever written.

    The full check reads every page: each table is compared with each of its indexes, each page must belong to exactly
    one owner. Without *full*, only the header, the size, the write-ahead log and the counts of rows and index
    entries are compared, which takes seconds per gigabyte and sees most damage, not all. *plex_sqlite* is the command
    that runs `Plex SQLite` (see `plex_tool`); with it the order of the ICU indexes is judged, too. *earlier* is the report
    of a full check of the file of which this one is a changed copy: a table whose pages are the same, byte for byte, in both
    keeps its verdict.

    Raises:
        DatabaseError: the file is missing, empty, unreadable, open in another process, or changes during the check.
    """
    started, before = time.monotonic(), file_state(path)
    try:
        source = PageSource(path)
    except Malformed as error:
        finding = Finding("header", "header", "structure", str(error))
        seconds = time.monotonic() - started
        return CheckReport(path=path, full=full, findings=(finding,), state=before, seconds=seconds)
    with source:
        refuse_if_open(path)
        report = _Examination(source, full, progress or _silent, plex_sqlite, earlier).report()
        if file_state(path) != before:
            raise DatabaseError(f"{path} changed while it was checked; stop Plex and check again")
    return replace(report, state=before, seconds=time.monotonic() - started)


def _silent(_: Progress) -> None:
    pass


@dataclass(slots=True)
class _Examination:
    source: PageSource
    full: bool
    tell: ProgressCallback
    plex_sqlite: Sequence[str] | None
    earlier: CheckReport | None
    findings: list[Finding] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    unjudged: list[Unjudged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _trees_proved: bool = False

    def report(self) -> CheckReport:
        source = self.source
        self.findings += judge_file(source)
        with readable_uri(source.path, source.wal) as uri:
            try:
                with closing(connect(uri)) as conn:
                    self._examine(uri, conn)
            except SQLITE_ERRORS as error:
                message = f"SQLite cannot read the schema: {explain(error)}"
                self.findings.append(Finding("sqlite_schema", "schema", "data", message))
        return CheckReport(
            path=source.path,
            full=self.full,
            findings=tuple(dict.fromkeys(self.findings)),
            rows=self.rows,
            orphans=self.orphans,
            unjudged=tuple(self.unjudged),
            notes=(*notes_on_file(source), *self.notes),
            pages=source.page_count,
            page_size=source.page_size,
        )

    def _examine(self, uri: str, conn: sqlite3.Connection) -> None:
        schema = read_schema(conn)
        if broken := [item.name for item in schema.objects if not is_text(item)]:
            message = (
                f"the declarations of {len(broken)} objects are damaged: {', '.join(map(ascii, broken[:5]))}"
            )
            self.findings.append(Finding("sqlite_schema", "schema", "data", message))
            return
        lacking = [name for name in _ESSENTIAL if name not in schema.tables]
        self.notes += [f"it has no table {name}, which every database of Plex has" for name in lacking]
        for table in schema.tables.values():
            for name in table.undeclared:
                message = f"the index of a constraint of {table.name} is not declared"
                self.findings.append(Finding(name, "schema", "index", message))
        for name in schema.collations:
            conn.create_collation(name, lambda _left, _right: 1)
        self.source.warm(self.tell)
        if own := self._judge_trees(uri, conn, schema):
            self.findings += name_the_damaged(self.source, schema, own, self.complaints)
        self.findings, spared = judge_fairly(conn, self.source, schema, self.findings, full=self.full)
        names = {item.object for item in spared}
        self.unjudged += [item for item in beyond_stock_sqlite(schema) if item.object not in names]
        self.unjudged += spared
        if self.plex_sqlite and self.full and not self.findings:  # it has nothing to add to damage
            self._ask_plex(uri, schema)

    def _judge_trees(self, uri: str, conn: sqlite3.Connection, schema: Schema) -> Ownership | None:
        """Judge everything; return who owns each page when that had to be looked up."""
        if not self.full:
            self._work_through(quick_jobs(schema), uri, conn, schema)
            return None
        if self.earlier:
            own = self._judge_the_changed(uri, conn, schema, self.earlier)
        else:
            self._work_through(full_jobs(conn, self.source, schema, None), uri, conn, schema)
            own = None if self._trees_proved else self._judge_each_tree(uri, conn, schema)
        if own is None and self.complaints:
            own = self._claim_pages(schema)
        return own

    def _judge_each_tree(self, uri: str, conn: sqlite3.Connection, schema: Schema) -> Ownership | None:
        # SQLite judges the trees while Python looks whose pages they have
        with self._working_on(tree_jobs(schema), uri, conn, schema):
            return None if tally_pages(self.source, conn, schema) else self._claim_pages(schema)

    def _judge_the_changed(
        self, uri: str, conn: sqlite3.Connection, schema: Schema, earlier: CheckReport
    ) -> Ownership | None:
        own = None
        owners: Owners | None = tally_pages(self.source, conn, schema)
        if owners is None:
            owners = own = self._claim_pages(schema)
        known = sound_before(self.source, owners, schema, earlier)
        self.rows |= {name: earlier.rows[name] for name in known & schema.tables.keys()}
        self.orphans |= {name: count for name, count in earlier.orphans.items() if relation_of(name) <= known}
        self._work_through(full_jobs(conn, self.source, schema, known), uri, conn, schema)
        return own

    def _work_through(
        self, jobs: list[Job[Verdict]], uri: str, conn: sqlite3.Connection, schema: Schema
    ) -> None:
        with self._working_on(jobs, uri, conn, schema):
            pass

    @contextmanager
    def _working_on(
        self, jobs: list[Job[Verdict]], uri: str, conn: sqlite3.Connection, schema: Schema
    ) -> Iterator[None]:
        """Work through *jobs* while the block runs, and take their verdicts at its end."""

        def done(count: int) -> None:
            self.tell(Progress("check", count, len(jobs), "tables"))

        if self.source.size < _SMALL:
            self._take(job(conn) for job in jobs)
            done(len(jobs))
            yield
            return
        with Crew[Verdict](uri, schema.collations, crew_size()) as crew:
            crew.start(jobs)
            yield
            self._take(crew.results(done))

    def _claim_pages(self, schema: Schema) -> Ownership:
        total = self.source.page_count
        survey = Survey(self.source, lambda done: self.tell(Progress("survey", done, total, "pages")))
        own = judge_ownership(survey, schema)
        self.findings += own.findings
        self.findings += own.count_findings(schema)
        return own

    def _take(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            self.findings += verdict.findings
            self.rows |= verdict.rows
            self._trees_proved |= verdict.trees_proved
            self.orphans |= verdict.orphans
            self.complaints += verdict.complaints

    def _ask_plex(self, uri: str, schema: Schema) -> None:
        assert self.plex_sqlite is not None
        complaints = check_with_plex_sqlite(self.plex_sqlite, uri)
        indexes = schema.indexes
        for line in complaints:
            name = line.rpartition(" index ")[2]
            if name in indexes:
                self.findings.append(Finding(name, "index", "index", f"Plex SQLite: {line}"))
            else:
                self.findings.append(
                    Finding(self.source.path.name, "pages", "structure", f"Plex SQLite: {line}")
                )
        custom = {index.name for index in indexes.values() if index.custom_collation}
        self.unjudged = [item for item in self.unjudged if item.object not in custom]
