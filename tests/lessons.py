"""A pytest plugin: `pytest --lessons` prints which tests prove the guarantee of each incident of the past.

The incidents stand in `lessons.toml`; a test names the ones it proves with `@pytest.mark.lesson("L07")`.
An incident without a test fails the command, unless it waits for a piece of the product that is still to come.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PIECES = ("storage", "docker", "database", "guard", "survival", "faces")
"""The pieces of the product that a lesson may wait for."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row of the table: incidents with one cause, and what is guaranteed since."""

    ids: tuple[str, ...]
    title: str
    guarantee: str
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A lesson with the tests that prove it."""

    lesson: Lesson
    tests: tuple[str, ...]

    @property
    def fault(self) -> str | None:
        """Tell why this row fails the command, if it does."""
        return None if self.tests or self.lesson.waits_for else "no test proves this"

    @property
    def hint(self) -> str | None:
        """Tell what should be looked at without failing."""
        piece = self.lesson.waits_for
        return (
            f'has tests: if they prove all of it, remove waits_for = "{piece}"'
            if piece and self.tests
            else None
        )


def read_lessons(path: Path) -> list[Lesson]:
    """Read the table of lessons.

    Raises:
        ValueError: A lesson waits for a piece that does not exist, or an id stands twice.

    """
    lessons = [
        Lesson(**{**entry, "ids": tuple(entry["ids"])})
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["lesson"]
    ]
    ids = [id_ for lesson in lessons for id_ in lesson.ids]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    lost = sorted({lesson.waits_for for lesson in lessons if lesson.waits_for} - set(PIECES))
    if twice or lost:
        raise ValueError(f"{path.name}: ids that stand twice: {twice}; unknown pieces in waits_for: {lost}")
    return lessons


def join(lessons: Iterable[Lesson], marks: Mapping[str, Iterable[str]]) -> list[Row]:
    """Join *lessons* with *marks*, which maps a lesson's id to the tests that are marked with it."""
    return [
        Row(lesson, tuple(sorted({test for id_ in lesson.ids for test in marks.get(id_, ())})))
        for lesson in lessons
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--lessons`."""
    parser.addoption("--lessons", action="store_true", help="print lesson → tests instead of running tests")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the check; the table is made in one process even if tests are asked to run in several."""
    if config.option.lessons:
        config.option.dist = "no"
    config.pluginmanager.register(_Check(read_lessons(Path(__file__).with_suffix(".toml"))), "lessons check")


class _Check:
    def __init__(self, lessons: list[Lesson]) -> None:
        self._lessons = lessons
        self._rows: list[Row] = []

    @pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = {id_ for lesson in self._lessons for id_ in lesson.ids}
        marks: dict[str, set[str]] = {}
        for item in items:
            test = item.nodeid.partition("[")[0]
            for id_ in [id_ for marker in item.iter_markers("lesson") for id_ in marker.args or [None]]:
                if id_ not in known:
                    raise pytest.UsageError(f"{test}: {id_!r} is no lesson of lessons.toml")
                marks.setdefault(id_, set()).add(test)
        self._rows = join(self._lessons, marks)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not session.config.option.lessons:
            return None
        session.testsfailed += sum(row.fault is not None for row in self._rows)
        return True

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        if not config.option.lessons:
            return
        terminalreporter.section("lessons")
        for row in self._rows:
            _print(terminalreporter, row)


def _print(out: pytest.TerminalReporter, row: Row) -> None:
    out.write_line(f"{', '.join(row.lesson.ids)}  {row.lesson.title}", bold=True)
    out.write_line(f"      → {row.lesson.guarantee}")
    for test in row.tests:
        out.write_line(f"      {test}", green=True)
    if row.fault:
        out.write_line(f"      FAULT: {row.fault}", red=True)
    elif row.hint:
        out.write_line(f"      WARNING: {row.hint}", yellow=True)
    elif row.lesson.waits_for:
        out.write_line(f"      waits for: {row.lesson.waits_for}")
