"""What `plexsuper tidy` orders and how it ends, as histories of facts; `tests/test_tidy.py` does it for real."""

from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import Conclude, Monitor, Order, RunStage, Thaw, Unwatch, Watch
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.tidying import NOTHING, Tidying, tidy_steps
from plexsuper.errors import ExitCode
from plexsuper.terms import Outcome, RemovalCounts, Stage, Verdict
from tests.test_plan import FOUND_FROZEN, SIGTERM, done, failed

SILENCED = e.LeftoversFound(settings=("preferences-a.json",))
FROZEN = e.LeftoversFound(settings=("preferences-a.json",), frozen=3)
COPIED = e.LeftoversFound(copies=("Databases.plexsuper-1",))
RESTORED = e.PrefsRestored(restored=(), kept=(), failed=())
WITHHELD = replace(RESTORED, withheld=("autoEmptyTrash",))
LOST = e.LibraryVerified(section=None, counts=RemovalCounts(lost=1))
FOUND = e.LibraryVerified(section=None, counts=RemovalCounts(restored=1))
UNKNOWN = e.LibraryVerified(section=None, counts=RemovalCounts(unknown=1))
OURS = Agenda(can_restart=True, can_undo=True, export=True, checkpoints=True)
UP = (done(Stage.SERVER), done(Stage.TOKEN), done(Stage.CATALOGUE))


def play(*facts: e.Event, agenda: Agenda = OURS) -> list[tuple[Order, ...]]:
    """Return the orders of each step, the first one's included."""
    plan, orders = Plan(agenda=agenda, itinerary=Tidying()).begin()
    steps = [orders]
    for fact in facts:
        plan, orders = plan.after(fact)
        steps.append(orders)
    return steps


def stages(*facts: e.Event, agenda: Agenda = OURS) -> list[Stage]:
    orders = (order for step in play(*facts, agenda=agenda) for order in step)
    return [order.stage for order in orders if isinstance(order, RunStage)]


def end(*facts: e.Event, agenda: Agenda = OURS) -> Conclude:
    (conclusion,) = play(*facts, agenda=agenda)[-1]
    assert isinstance(conclusion, Conclude)
    return conclusion


def begun(left: e.LeftoversFound) -> tuple[e.Event, ...]:
    """Return the facts until the storage is proved."""
    return (left, done(Stage.PREFLIGHT), done(Stage.STORAGE))


def test_nothing_is_done_where_nothing_was_left():
    facts = (e.LeftoversFound(), done(Stage.PREFLIGHT))
    assert stages(*facts) == [Stage.PREFLIGHT]
    assert end(*facts) == Conclude(Verdict.TIDIED, ExitCode.DONE, NOTHING, ())


def test_silenced_settings_are_given_back_after_what_happened_meanwhile_is_accounted_for():
    facts = (*begun(SILENCED), *UP, RESTORED, done(Stage.RESTORE), done(Stage.STOP))
    order = [Stage.PREFLIGHT, Stage.STORAGE, Stage.SERVER, Stage.TOKEN, Stage.CATALOGUE]
    assert stages(*facts) == [*order, Stage.RESTORE, Stage.STOP]
    assert end(*facts) == Conclude(Verdict.TIDIED, ExitCode.DONE, "", ())


def test_a_copy_alone_is_judged_without_plex():
    facts = (*begun(COPIED), done(Stage.CATALOGUE), done(Stage.RESTORE), done(Stage.STOP))
    order = [Stage.PREFLIGHT, Stage.STORAGE, Stage.CATALOGUE, Stage.RESTORE, Stage.STOP]
    assert stages(*facts) == order
    assert end(*facts).verdict is Verdict.TIDIED


def test_a_library_that_cannot_be_asked_is_not_asked_for_ever_and_lets_no_copy_go():
    facts = (*begun(COPIED), failed(Stage.CATALOGUE, ExitCode.DATABASE))
    assert stages(*facts)[-1] is Stage.STOP  # and no account, after which a copy may go
    assert end(*facts, done(Stage.STOP)).exit_code is ExitCode.DATABASE


def test_a_plex_of_ours_that_only_runs_on_is_stopped():
    facts = (e.LeftoversFound(server=True), done(Stage.PREFLIGHT), done(Stage.STOP))
    assert stages(*facts) == [Stage.PREFLIGHT, Stage.STOP]


def test_a_mount_alone_is_taken_away_without_plex():
    facts = (*begun(e.LeftoversFound(mount=True)), done(Stage.STOP))
    assert stages(*facts) == [Stage.PREFLIGHT, Stage.STORAGE, Stage.STOP]


@pytest.mark.lesson("L40")
def test_a_frozen_plex_goes_on_when_storage_is_proved_and_is_watched_until_it_does():
    steps = play(FOUND_FROZEN, *begun(FROZEN))
    assert steps[-1] == (Thaw(), Watch((Monitor.FROST, Monitor.SERVER)), RunStage(Stage.SERVER))


@pytest.mark.lesson("L40")
def test_a_frozen_plex_goes_on_without_its_scanners_where_storage_cannot_be_proved():
    blind = (FOUND_FROZEN, FROZEN, done(Stage.PREFLIGHT), failed(Stage.STORAGE, ExitCode.STORAGE))
    thaw, *rest = play(*blind)[-1]
    assert thaw == Thaw(proved=False)
    assert rest[-1] == RunStage(Stage.SERVER)


@pytest.mark.lesson("L40")
def test_without_storage_all_is_given_back_but_one_setting_and_the_end_says_so():
    blind = (SILENCED, done(Stage.PREFLIGHT), failed(Stage.STORAGE, ExitCode.STORAGE))
    conclusion = end(*blind, *UP, WITHHELD, done(Stage.RESTORE), done(Stage.STOP))
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.STORAGE, ExitCode.STORAGE)
    assert "autoEmptyTrash, which stays off" in conclusion.detail
    assert "storage failed" in conclusion.detail


def test_storage_that_nobody_needed_in_the_end_spoils_nothing():
    blind = (COPIED, done(Stage.PREFLIGHT), failed(Stage.STORAGE, ExitCode.STORAGE))
    conclusion = end(*blind, done(Stage.CATALOGUE), done(Stage.RESTORE), done(Stage.STOP))
    assert conclusion.exit_code is ExitCode.DONE


def test_a_mount_that_could_not_be_taken_in_hand_is_told():
    facts = (e.LeftoversFound(mount=True), done(Stage.PREFLIGHT), failed(Stage.STORAGE, ExitCode.PREFLIGHT))
    assert end(*facts, done(Stage.STOP)).exit_code is ExitCode.PREFLIGHT


ACCOUNTED = (*begun(SILENCED), *UP, LOST, WITHHELD, done(Stage.RESTORE), done(Stage.STOP))


@pytest.mark.lesson("L40")
def test_what_the_copy_has_brought_back_lets_plex_be_started_once_more_to_get_the_rest():
    facts = (*ACCOUNTED, FOUND, done(Stage.REVIVE))
    lap = [Stage.REVIVE, Stage.SERVER]
    assert stages(*facts)[-2:] == lap
    rest = (done(Stage.SERVER), done(Stage.TOKEN), RESTORED, done(Stage.RESTORE), done(Stage.STOP))
    assert stages(*facts, *rest)[-4:] == [Stage.SERVER, Stage.TOKEN, Stage.RESTORE, Stage.STOP]
    assert end(*facts, *rest) == Conclude(Verdict.TIDIED, ExitCode.DONE, "", ())


def test_plex_is_started_once_more_only_once():
    again = (done(Stage.SERVER), done(Stage.TOKEN), WITHHELD, done(Stage.RESTORE), done(Stage.STOP))
    conclusion = end(*ACCOUNTED, FOUND, done(Stage.REVIVE), *again)
    assert conclusion.exit_code is ExitCode.STORAGE


@pytest.mark.lesson("L40")
def test_what_the_copy_cannot_bring_back_is_a_loss():
    conclusion = end(*ACCOUNTED, done(Stage.REVIVE))
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.LOSS, ExitCode.LOSS)
    assert "autoEmptyTrash stays off" in conclusion.detail


def test_what_is_in_doubt_keeps_the_copy_also_where_no_setting_is_left():
    foreign = Agenda()
    facts = (*begun(COPIED), done(Stage.CATALOGUE), UNKNOWN, done(Stage.RESTORE), done(Stage.STOP))
    conclusion = end(*facts, agenda=foreign)
    assert conclusion.exit_code is ExitCode.STORAGE
    assert conclusion.detail.startswith("the copy of the library is kept")


def test_a_plex_that_cannot_be_asked_keeps_its_settings_and_the_end_says_so():
    facts = (*begun(SILENCED), failed(Stage.SERVER, ExitCode.SERVER))
    conclusion = end(*facts, done(Stage.STOP))
    assert conclusion.exit_code is ExitCode.SERVER
    assert "still silenced" in conclusion.detail


def test_one_that_lost_plex_on_the_way_brings_it_up_again():
    facts = (
        *begun(SILENCED),
        done(Stage.SERVER),
        e.PlexLost(detail="gone"),
        failed(Stage.TOKEN, ExitCode.SERVER),
    )
    assert stages(*facts)[-1] is Stage.SERVER


def test_who_interrupts_it_is_obeyed():
    facts = (
        *begun(SILENCED),
        SIGTERM,
        e.StageFinished(stage=Stage.SERVER, outcome=Outcome.CANCELLED, seconds=1),
    )
    assert end(*facts, done(Stage.STOP)).verdict is Verdict.INTERRUPTED


def test_a_dry_one_does_nothing():
    dry = replace(OURS, dry_run=True)
    facts = (replace(FROZEN, server=True), done(Stage.PREFLIGHT))
    assert stages(*facts, agenda=dry) == [Stage.PREFLIGHT]
    assert end(*facts, agenda=dry) == Conclude(Verdict.PLANNED, ExitCode.DONE, "", ())


def test_its_monitors_end_where_those_of_a_run_do():
    steps = play(*begun(SILENCED), *UP, RESTORED, done(Stage.RESTORE))
    assert Unwatch((Monitor.FROST, Monitor.SERVER, Monitor.NOTIFICATIONS)) in steps[-1]


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        (e.LeftoversFound(), ()),
        (
            FROZEN,
            (
                "let Plex go on, which stands still, when storage is proved; its scanners end before",
                "start Plex if it does not run",
                "ask storage for every entry that Plex has lost since it was silenced",
                "put every setting of Plex back as it was, the emptying of the trash only if nothing is in doubt",
                "stop Plex if it was started for a run",
            ),
        ),
        (
            e.LeftoversFound(mount=True, copies=("/a", "/b")),
            ("take the mount away", "remove, if nothing is in doubt: /a, /b"),
        ),
    ],
)
def test_what_it_would_do_is_said_in_order(left: e.LeftoversFound, steps: tuple[str, ...]):
    assert tidy_steps(left, command=True) == steps
