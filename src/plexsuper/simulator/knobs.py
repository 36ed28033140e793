"""Everything about Plex that is not certain, or that a test wants to be different, as one frozen value.

The letter of a knob says how sure its default is: A recorded from a real server, B documented or common to
several working clients, C one source, D our guess, T a fault or speed that only tests want.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from plexsuper.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Fact:
    """How sure a default is, and what the knob does."""

    mark: Literal["A", "B", "C", "D", "T"]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The knobs; durations are simulated seconds, 0 means "at once" or "never" as the text says."""

    # --- start ---------------------------------------------------------------------------------------
    refused_seconds: Annotated[float, Fact("D", "how long nobody listens after the start")] = 0.3
    maintenance_seconds: Annotated[
        float, Fact("A", "how long everything answers 503 (a fresh server: 15 s)")
    ] = 1.0
    maintenance_kind: Annotated[
        Literal["maintenance", "migrations"], Fact("A", "what the 503 says it does")
    ] = "maintenance"
    starting_seconds: Annotated[float, Fact("A", "how long reads work but sections cannot be created")] = 1.0
    token_after: Annotated[
        float, Fact("A", "when a claimed server's token is in Preferences.xml; -1 never")
    ] = 0.0
    stop_seconds: Annotated[float, Fact("T", "a stop takes so long before the databases are closed")] = 0.0
    claim_answer: Annotated[
        Literal["granted", "refused"], Fact("B", "what plex.tv says to the claim token")
    ] = "granted"
    viewer_seconds: Annotated[float, Fact("T", "somebody watches a film for so long; 0 nobody")] = 0.0
    # --- HTTP ----------------------------------------------------------------------------------------
    answer_delay: Annotated[float, Fact("T", "every answer comes this much later")] = 0.0
    hang_after: Annotated[float, Fact("T", "answers stop coming so long after ready; -1 never")] = -1.0
    hang_for: Annotated[float, Fact("T", "how long they do not come; 0 for ever")] = 0.0
    wrong_method_status: Annotated[
        Literal[404, 405], Fact("D", "the answer to PUT refresh and GET analyze")
    ] = 404
    get_refresh: Annotated[bool, Fact("A", "GET refresh works; false: only POST, as documented")] = True
    unknown_preference: Annotated[Literal[200, 400, 403], Fact("A", "the answer to PUT of an unknown id")] = (
        200
    )
    total_size_always: Annotated[bool, Fact("A", "totalSize is there even when no page was asked for")] = True
    trash_is_listed: Annotated[bool, Fact("D", "a wholly trashed item stays in the plain listing")] = True
    trash_seconds: Annotated[float, Fact("D", "emptying the trash of a section takes this long")] = 1.0
    # --- scans ---------------------------------------------------------------------------------------
    first_scan: Annotated[bool, Fact("C", "creating a section starts a scan of it")] = True
    parallel_scans: Annotated[int, Fact("D", "how many sections are scanned at the same time")] = 1
    queue_seconds: Annotated[float, Fact("D", "from the request to the start of the scan, at least")] = 0.2
    queued_is_refreshing: Annotated[bool, Fact("D", "a scan that waits in the queue shows as refreshing")] = (
        False
    )
    scan_seconds: Annotated[float, Fact("D", "the part of a scan that does not depend on its size")] = 0.3
    folder_seconds: Annotated[float, Fact("D", "listing one folder")] = 0.005
    file_seconds: Annotated[float, Fact("D", "looking at one known file")] = 0.001
    item_seconds: Annotated[float, Fact("A", "adding one new item (50 took 6 s)")] = 0.12
    removal_seconds: Annotated[float, Fact("A", "marking one missing item (221 took under 2 s)")] = 0.008
    jitter: Annotated[float, Fact("T", "durations vary by this share, at random")] = 0.0
    cancel_at_once: Annotated[
        bool, Fact("D", "a cancelled scan stops now; false: after the current folder")
    ] = True
    quiet_scan_moves_scanned_at: Annotated[bool, Fact("A", "scannedAt moves though nothing changed")] = True
    file_returns: Annotated[
        Literal["restored", "stays"], Fact("D", "the trashed item of a file that is there again")
    ] = "restored"
    root_missing: Annotated[Literal["keep", "remove"], Fact("B", "items of a location that is not there")] = (
        "keep"
    )
    root_failing: Annotated[
        Literal["keep", "remove"], Fact("D", "items of a location that gives an error")
    ] = "keep"
    root_empty: Annotated[Literal["keep", "remove"], Fact("D", "items of a location that is empty")] = (
        "remove"
    )
    folder_missing: Annotated[Literal["keep", "remove"], Fact("C", "items of a folder that is gone")] = "keep"
    folder_failing: Annotated[
        Literal["keep", "remove"], Fact("D", "items of a folder that gives an error")
    ] = "keep"
    file_failing: Annotated[
        Literal["keep", "remove"],
        Fact("C", "a file that is listed but cannot be read; remove: each one is read"),
    ] = "keep"
    available_flips: Annotated[bool, Fact("D", "a location that cannot be listed is marked unavailable")] = (
        True
    )
    scan_activity: Annotated[bool, Fact("A", "a scan shows an activity")] = True
    scan_cancellable: Annotated[bool, Fact("C", "... which DELETE /activities can cancel")] = False
    context_on_ended: Annotated[
        bool, Fact("D", "the last notification of an activity still names its section")
    ] = True
    # --- after a scan --------------------------------------------------------------------------------
    metadata_seconds: Annotated[
        float, Fact("A", "metadata of one new item (50 in 32 s, three at a time)")
    ] = 1.9
    metadata_parallel: Annotated[int, Fact("A", "metadata activities at the same time")] = 3
    metadata_gap: Annotated[float, Fact("A", "... start so long after the first item was found")] = 2.0
    metadata_after_scan: Annotated[bool, Fact("D", "... not before the scan has ended")] = False
    analyze_new: Annotated[bool, Fact("B", "new items are analysed by themselves")] = True
    analysis_gap: Annotated[float, Fact("D", "... so long after their metadata")] = 1.0
    # --- analysis ------------------------------------------------------------------------------------
    analysis_seconds: Annotated[float, Fact("D", "media analysis of one item")] = 0.3
    analysis_batch: Annotated[int, Fact("B", "items for one scanner process")] = 5
    analysis_activity: Annotated[str, Fact("D", "type of the analysis activity; empty: none")] = (
        "library.refresh.items"
    )
    analyze_all: Annotated[bool, Fact("D", "PUT analyze also takes items that are analysed already")] = False
    analysis_queue: Annotated[float, Fact("D", "from PUT analyze to the start of the analysis")] = 0.0
    analysis_failures: Annotated[float, Fact("C", "share of files that cannot be opened, not retried")] = 0.0
    failing_opens: Annotated[int, Fact("T", "so many opens of such a file fail; 0: every one")] = 0
    analyze_failed: Annotated[
        bool, Fact("D", "PUT analyze of a section also takes items whose analysis failed")
    ] = True
    analyze_item_status: Annotated[
        Literal[200, 404, 500], Fact("T", "the answer to PUT analyze of an item; nothing is done if not 200")
    ] = 200
    photos_marked: Annotated[bool, Fact("D", "an analysed photo is marked as analysed")] = True
    chapter_seconds: Annotated[float, Fact("D", "chapter thumbnails of one item")] = 0.4
    credits_seconds: Annotated[float, Fact("D", "credits detection of one item")] = 0.8
    preview_seconds: Annotated[float, Fact("D", "preview thumbnails of one item")] = 1.0
    detection_seconds: Annotated[float, Fact("D", "detection of intros, voices or ads in one item")] = 0.6
    deep_seconds: Annotated[float, Fact("D", "deep analysis of one item")] = 1.0
    # --- sonic ---------------------------------------------------------------------------------------
    sonic_seconds: Annotated[float, Fact("D", "sonic analysis of one track")] = 0.5
    sonic_failures: Annotated[float, Fact("D", "share of tracks whose first sonic analysis fails")] = 0.0
    sonic_queue: Annotated[float, Fact("D", "from POST /butler/MusicAnalysis to its start")] = 0.0
    sonic_bumps: Annotated[bool, Fact("D", "an analysed track's changed_at moves")] = True
    sonic_obeys_behaviour: Annotated[bool, Fact("D", "MusicAnalysisBehavior=never blocks the task")] = False
    sonic_activity: Annotated[bool, Fact("C", "the task shows as an activity of type butler")] = True
    sonic_process: Annotated[bool, Fact("D", "sonic analysis shows a scanner process")] = False
    # --- butler --------------------------------------------------------------------------------------
    butler_row: Annotated[bool, Fact("A", "an idle server lists one activity of type butler")] = True
    butler_every: Annotated[
        float, Fact("T", "background work that is not silenced starts so often; 0 never")
    ] = 60.0
    butler_items: Annotated[int, Fact("T", "items of such a burst of background work")] = 3
    butler_seconds: Annotated[float, Fact("D", "a maintenance task without items takes this long")] = 2.0
    # --- notifications -------------------------------------------------------------------------------
    update_every: Annotated[float, Fact("D", "progress of an activity is told so often")] = 1.0
    frame_loss: Annotated[float, Fact("T", "share of notification frames that get lost")] = 0.0
    socket_life: Annotated[float, Fact("T", "notification sockets are cut after so long; 0 never")] = 0.0
    sockets_refused: Annotated[bool, Fact("T", "notification sockets cannot be opened (503)")] = False
    # --- crashes -------------------------------------------------------------------------------------
    crash_in_scan: Annotated[
        int, Fact("T", "the server dies in this scan of a life, counted from 1; 0 never")
    ] = 0
    crash_at: Annotated[float, Fact("T", "... when the scan's progress is so many percent")] = 50.0
    crash_times: Annotated[int, Fact("T", "... in the first so many lives; 0: in every life")] = 0
    crash_down: Annotated[float, Fact("T", "a crashed server is back after so long; -1 never")] = 5.0

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> Self:
        """Read `name=value` pairs as the command line gives them; raise `SettingsError` with every mistake."""
        given: dict[str, Any] = {}
        wrong = []
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals:
                wrong.append(f"knob {pair!r}: write it as name=value")
                continue
            given[name] = text
        if wrong:
            raise SettingsError("; ".join(wrong))
        return cls.load(given)

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Self:
        """Set the knobs of *values* (JSON values, or text for any type); raise `SettingsError` with every mistake."""
        hints = get_type_hints(cls)
        read: dict[str, Any] = {}
        wrong = []
        for name, value in values.items():
            if name not in hints:
                near = get_close_matches(name, hints, n=1)
                wrong.append(f"there is no knob {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
                continue
            try:
                read[name] = _convert(value, hints[name])
            except ValueError as error:
                wrong.append(f"knob {name}: {error}")
        if wrong:
            raise SettingsError("; ".join(wrong))
        return cls(**read)

    def but(self, **changes: Any) -> Self:
        """Return these knobs with some of them changed."""
        return replace(self, **changes)


def describe() -> str:
    """Return the list of knobs for people: name, default, how sure it is, meaning."""
    hints = get_type_hints(Knobs, include_extras=True)
    lines = []
    for field in fields(Knobs):
        fact = get_args(hints[field.name])[1]
        lines.append(f"{field.name} = {json.dumps(field.default)}  [{fact.mark}] {fact.meaning}")
    return "\n".join(lines)


_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _convert(value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if str(choice) == str(value):
                return choice
        raise ValueError(f"{value!r} is none of {', '.join(map(str, get_args(kind)))}")
    if kind is bool:
        truth = _TRUTH.get(str(value).lower())
        if truth is None:
            raise ValueError(f"{value!r} is neither true nor false")
        return truth
    if kind is str:
        return str(value)
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None
