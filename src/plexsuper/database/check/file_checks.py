"""What can be said of a database before any tree is read: its header, its size and its write-ahead log."""

from collections.abc import Iterator

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.report import Finding


def judge_file(source: PageSource) -> Iterator[Finding]:
    """Compare the header, the length of the file and the write-ahead log with each other."""
    header, wal = source.header, source.wal
    committed = bool(wal and wal.committed)
    if foreign := source.foreign_log:
        yield Finding(foreign.path.name, "wal", "structure", foreign.foreign)
    if wal and wal.fault:
        yield Finding(wal.path.name, "wal", "structure", wal.fault)
    if wal and committed and wal.page_size != source.page_size:
        message = (
            f"the write-ahead log has pages of {wal.page_size} bytes, the database of {source.page_size}"
        )
        yield Finding(wal.path.name, "wal", "structure", message)
    if committed:
        # The end of the file may still be in the log: each page is looked for there when it is read
        return
    if not header.counts_pages and source.size % source.page_size:
        yield _cut_off(source, source.size // source.page_size + 1)
    elif header.counts_pages and source.size < header.page_count * source.page_size:
        yield _cut_off(source, header.page_count)
    if header.schema_format == 0 and source.page_count > 1:
        yield Finding(
            "header", "header", "structure", "the header has no schema format although there are tables"
        )


def _cut_off(source: PageSource, pages: int) -> Finding:
    whole = source.size // source.page_size
    message = (
        f"the file ends after {whole} of {pages} pages ({source.size} of {pages * source.page_size} bytes)"
    )
    return Finding("header", "pages", "data", message, tuple(range(whole + 1, min(pages, whole + 20) + 1)))


def notes_on_file(source: PageSource) -> Iterator[str]:
    """What is worth saying about a sound file: a log that is still to be applied, a torn tail, extra bytes."""
    wal = source.wal
    if wal and wal.committed:
        yield f"{wal.committed} committed frames in {wal.path.name} were read through"
    if wal and wal.torn:
        yield f"{wal.torn} frames of an unfinished transaction in {wal.path.name} are ignored, as SQLite does"
    extra = source.size - source.page_count * source.page_size
    if extra > 0 and not (wal and wal.committed):
        yield f"{extra} bytes behind the last page are not part of the database"
