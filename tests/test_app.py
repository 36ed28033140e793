"""What the application puts together: names of runs, and a stream without secrets."""

import json
import re
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexsuper import events as e
from plexsuper.app import run
from plexsuper.bus import Subscription
from plexsuper.config import Settings
from plexsuper.errors import ExitCode
from plexsuper.record import new_run_id
from plexsuper.redact import HIDDEN, Redactor
from plexsuper.stream import Envelope, Recorder, encode, type_name
from plexsuper.terms import Outcome, PrefChange, SectionRef, Stage

SECRET = "q7Xw-secret-token-Zk"


def test_run_ids_are_names_of_files_that_sort_by_time_and_are_never_equal():
    ids = [new_run_id() for _ in range(20)]
    assert all(re.fullmatch(r"20\d{6}T\d{6}Z-[0-9a-f]{4}", id_) for id_ in ids)
    assert [id_[:16] for id_ in ids] == sorted(id_[:16] for id_ in ids)
    assert len(set(ids)) > 1


class BrokenFace:
    """A face with a bug in it."""

    async def show(self, envelopes: Subscription[Envelope]) -> None:
        await anext(envelopes)
        raise ValueError("cannot draw")

    def dropped(self) -> int:
        return 0

    def paused(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()


@pytest.mark.blocking("a run opens local files before anything has to be quick")
async def test_a_bug_in_the_face_does_not_end_the_run(tmp_path):
    (tmp_path / "media").mkdir()
    settings = Settings(
        state_dir=tmp_path / "state",
        plex={"url": "http://127.0.0.1:9", "config_dir": tmp_path / "config"},
        media={"path": tmp_path / "media"},
        run={"dry_run": True},
    )
    assert (
        await run(settings, BrokenFace()) == ExitCode.PREFLIGHT
    )  # nothing is there, and the run says so to the end


def recorded(event: e.Event, redactor: Redactor) -> tuple[Envelope, str]:
    recorder = Recorder(run="r", redactor=redactor)
    with recorder.envelopes.subscribe(Envelope) as envelopes:
        recorder.record(event)
        (envelope,) = envelopes.take()
    return envelope, encode(envelope).decode()


EVENTS: list[e.Event] = [
    e.RunStarted(
        profile="p",
        interval=1,
        stall_after=1,
        versions={"plex": SECRET},
        sections=(SECRET,),
        settings={"a": {"b": [SECRET, 1]}, SECRET: 2},
    ),
    e.PlexWaiting(attempt=1, state="error", status=500, excerpt=f"x {SECRET} y", log=("a", f"b={SECRET}")),
    e.StageFinished(stage=Stage.SERVER, outcome=Outcome.FAILED, seconds=1, detail=f"?t={SECRET}&u"),
    e.SectionCreated(section=SectionRef(id=1, title=SECRET), locations=(f"/m/{SECRET}/x",)),
    e.PrefsRestored(restored=(PrefChange(id="x", before=SECRET, after="1"),), kept=(SECRET,)),
    e.MonitorCrashed(monitor="server", error=f"OSError: {SECRET!r}", retry_in=1),
]


@pytest.mark.lesson("F05")
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type_name(type(event)))
def test_a_token_in_any_field_of_an_event_never_reaches_an_envelope(event):
    envelope, line = recorded(event, Redactor([SECRET]))
    assert SECRET not in repr(envelope)
    assert SECRET not in line
    assert HIDDEN in json.dumps(json.loads(line)["data"])


@pytest.mark.lesson("F05")
def test_a_token_that_is_found_on_the_way_is_hidden_from_then_on():
    redactor = Redactor()
    event = e.PlexLost(detail=f"GET /{SECRET}: gone")
    assert SECRET in recorded(event, redactor)[1]
    redactor.learn(SECRET)
    envelope, line = recorded(event, redactor)
    assert envelope.event == e.PlexLost(detail=f"GET /{HIDDEN}: gone")
    assert SECRET not in line


@given(secret=st.text(alphabet="abcXYZ0189_-", min_size=8, max_size=30), before=st.text(max_size=10))
def test_whatever_the_token_and_wherever_it_stands_it_is_hidden(secret, before):
    event = e.PlexLost(detail=f"{before} {secret} {before}")
    if secret not in before:
        assert secret not in json.loads(recorded(event, Redactor([secret]))[1])["data"]["detail"]
