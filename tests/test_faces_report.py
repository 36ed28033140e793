"""Proves the report: its numbers, its three forms, that it loads nothing, and that a replay gives the same one."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.audience.removed import with_all_removals
from plexsuper.clients.removal_report import write_removals
from plexsuper.errors import SettingsError
from plexsuper.examples import MISHAPS, MOVIES, MUSIC, RUN, envelopes
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.report.facts import Price, as_json, time_table, totals
from plexsuper.faces.report.markdown import markdown
from plexsuper.faces.report.markup import Markup, el
from plexsuper.faces.report.page import html
from plexsuper.replay import Replay
from plexsuper.stream import encode
from plexsuper.terms import Outcome, Phase, PhaseReport, Removal, RemovalCounts

ALL = tuple(
    sorted(
        (told for told in (*RUN, *MISHAPS) if not isinstance(told[1], e.RunResumed)), key=lambda told: told[0]
    )
)
EVIL = "<script>alert(1)</script>&\"'"


def story_of(*told: tuple[float, e.Event]) -> dict[str, Any]:
    chronicle = Chronicle()
    for envelope in envelopes(told):
        chronicle.see(envelope)
    return chronicle.since()


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    return story_of(*ALL)


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, in order; keeps attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def test_a_replayed_run_gives_the_same_report_as_the_live_one():
    live, replayed = Chronicle(), Chronicle()
    for envelope in envelopes(ALL):
        live.see(envelope)
    for envelope in Replay().envelopes([encode(envelope) for envelope in envelopes(ALL)]):
        replayed.see(envelope)
    assert replayed.since() == live.since()
    price = Price.read("0.57 EUR")
    assert html(replayed.since(), price) == html(live.since(), price)


def test_the_time_table_says_what_the_time_of_each_phase_went_into(story):
    rows = {(row.section, row.phase): row for row in time_table(story)}
    scan, sonic = rows["Movies", "scan"], rows["Music", "sonic"]
    assert (round(scan.busy, 3), scan.waiting, scan.stalled, scan.frozen) == (60.9, 2.1, 0, 0)
    assert (round(sonic.busy, 3), sonic.waiting, sonic.stalled, sonic.frozen) == (3311.0, 0, 600, 1)
    assert (sonic.tries, sonic.outcome) == (1, "stalled")
    sums = totals(rows.values(), 4420.1)
    assert {part: round(seconds, 1) for part, seconds in sums.items()} == {
        "busy": 3791.0,
        "waiting": 4.5,
        "stalled": 600.0,
        "frozen": 1.0,
        "other": 23.6,
    }


def test_the_tries_of_a_phase_are_summed_up():
    report = PhaseReport(phase=Phase.SCAN, outcome=Outcome.FAILED, seconds=10.0, added=3)
    again = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=20.0, waited=2.0, added=4)
    start: dict[str, Any] = {"section": MOVIES, "phase": Phase.SCAN, "budget": 60.0, "cap": 600.0}
    (row,) = time_table(
        story_of(
            (0.0, e.SectionPhaseStarted(attempt=1, **start)),
            (10.0, e.SectionPhaseFinished(section=MOVIES, report=report)),
            (10.0, e.SectionPhaseStarted(attempt=2, **start)),
            (30.0, e.SectionPhaseFinished(section=MOVIES, report=again)),
        )
    )
    assert (row.tries, row.busy, row.waiting, row.added, row.words) == (2, 28.0, 2.0, 7, "done")


def test_a_phase_that_is_under_way_counts_until_now():
    (row,) = time_table(
        story_of(
            (0.0, e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=60, cap=600)),
            (45.0, e.RunHeartbeat(uptime=45.0, stage="sections")),
        )
    )
    assert (row.busy, row.words) == (45.0, "under way")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.57", "0.70"),
        ("€0.57", "€0.70"),
        ("0,57 EUR", "0.70 EUR"),
        ("0.57EUR", "0.70 EUR"),
        (" $ 0.57 ", "$0.70"),
    ],
)
def test_the_cost_is_told_in_the_currency_as_it_was_given(text, shown):
    assert Price.read(text).of(4420.1) == shown


@pytest.mark.parametrize("text", ["", "free", "1.2.3", "-1", "€1€", "1e3"])
def test_a_price_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match="is no price"):
        Price.read(text)


def test_the_report_as_json_holds_the_tables_and_the_story(story):
    told = json.loads(json.dumps(as_json(story, Price.read("€0.50"))))
    assert told["report"] == 1
    assert told["verdict"] == "set_aside"
    assert told["cost"] == {"hourly": 0.5, "currency": "€", "total": 0.6139}
    assert [(row["section"], row["phase"], row["total"]) for row in told["time"]] == [
        ("Movies", "scan", 63.0),
        ("Movies", "analyze", 421.5),
        ("Music", "sonic", 3912.0),
    ]
    assert told["story"] == json.loads(json.dumps(story))


def test_the_page_loads_nothing_and_its_policy_forbids_it(story):
    text = html(story, Price.read("€0.57"))
    page = Page(text)
    assert not [a for a in page.attributes if a[1] in {"src", "href", "srcset", "action", "style", "onload"}]
    assert "<script" not in text
    assert "url(" not in text
    assert not [value for _, name, value in page.attributes if "//" in value and name != "aria-label"]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert re.fullmatch(
        r"default-src &#x27;none&#x27;; style-src &#x27;sha256-[\w+/=]+&#x27;; base-uri &#x27;none&#x27;; form-action &#x27;none&#x27;",
        policy,
    )
    assert len(text) < 150_000


def test_the_page_names_faults_what_was_done_removals_and_failures(story):
    cells = Page(html(story)).cells
    for wanted in (
        "finished, but sections were set aside",
        "0:01:01 storage /media is back after 21 s",
        "/media/Movies/Solaris (1972).mkv",
        "really deleted",
        "22 more are in /state/runs/20261122T180601Z-7f3a/removals.jsonl.",
        "not readable: Input/output error",
        "Music: 2 of 1,305 files are not analysed (Plex failed on it: 1; not in storage: 1).",
        "Music: a second try of the analysis got 682 of 683.",
        "55 min 11 s",
        "+6",
    ):
        assert wanted in cells, wanted
    assert any("storage /media is lost: it hangs" in cell for cell in cells)


def test_pictures_say_in_words_what_they_show(story):
    labels = [
        value for tag, name, value in Page(html(story)).attributes if (tag, name) == ("svg", "aria-label")
    ]
    assert any(label.startswith("storage: ") and "lost 16 s" in label for label in labels)
    assert any(label.startswith("Movies: scan done after 1 min 03 s") for label in labels)


def test_nothing_that_comes_from_outside_becomes_markup_or_markdown():
    removal = Removal(part=1, title=EVIL, file=f"/media/{EVIL}|x", fate="lost")
    verified = e.LibraryVerified(section=MOVIES, counts=RemovalCounts(lost=1), removals=(removal,))
    story = story_of((0.0, RUN[0][1]), (1.0, verified), (2.0, e.PlexLost(detail=EVIL)))
    text = html(story)
    Page(text)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    row = next(line for line in markdown(story).splitlines() if "/media/" in line and line.startswith("|"))
    assert row == (
        "| \\<script\\>alert(1)\\</script\\>&\"' | /media/\\<script\\>alert(1)\\</script\\>&\"'\\|x | lost |"
    )


def test_a_run_without_faults_says_so():
    story = story_of(*((t, event) for t, event in RUN[:5]))
    assert "the run has not ended" in html(story)
    assert "There were none." in Page(html(story)).cells
    assert "## Removed entries\n\nThere were none." in markdown(story)


def test_markdown_has_the_same_tables(story):
    text = markdown(story, Price.read("0.57EUR"))
    assert text.startswith(
        "# plexsuper: finished, but sections were set aside\n\n1 of 2 sections was set aside\n"
    )
    assert (
        "| Music | sonic analysis | 55 min 11 s | 0 s | 10 min | 1 s | 1 h 05 m | 0.62 EUR | stalled |"
        in text
    )
    assert "- **Music**: set aside; sonic analysis stalled twice" in text
    assert "cost 0.70 EUR at 0.57 EUR an hour" in text


def test_attributes_and_texts_of_an_element_are_escaped():
    assert el("p", EVIL, class_='"', hidden=False) == (
        '<p class="&quot;">&lt;script&gt;alert(1)&lt;/script&gt;&amp;"\'</p>'
    )
    assert el("rect", x=1.0, y=0.333333) == Markup('<rect x="1" y="0.33"/>')


def test_every_removed_entry_is_named_although_an_event_names_the_first_ones_only(tmp_path):
    gone = [Removal(part=n, title=f"Film {n}", file=f"/media/{n}.mkv", fate="confirmed") for n in range(150)]
    write_removals(tmp_path / "removals.jsonl", [(MOVIES, one) for one in gone] + [(MUSIC, gone[0])])
    verified = e.LibraryVerified(
        section=MOVIES,
        counts=RemovalCounts(confirmed=150),
        removals=tuple(gone[:100]),
        report=str(tmp_path / "removals.jsonl"),
    )
    story = with_all_removals(story_of((0.0, RUN[0][1]), (1.0, verified)))
    text = html(story)
    assert all(f'<td class="file">/media/{n}.mkv</td>' in text for n in range(150))
    assert "150 by name" in Page(text).cells
    assert "more are in" not in text
    (tmp_path / "removals.jsonl").write_text("[]\n")  # what is not the file of a run changes nothing
    first = with_all_removals(story_of((0.0, RUN[0][1]), (1.0, verified)))
    assert f"50 more are in {tmp_path}/removals.jsonl." in Page(html(first)).cells
