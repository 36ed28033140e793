"""What a report says in numbers: one fold of a story (see `faces.chronicle`) that its three forms share."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from plexsuper.errors import SettingsError
from plexsuper.faces.numbers import count, duration
from plexsuper.terms import Counts

Story: TypeAlias = dict[str, Any]
"""Everything of a run, as `Chronicle.since()` gives it."""

PARTS: Final = ("busy", "waiting", "stalled", "frozen")
"""What the time of a phase went into."""

FATES: Final = {
    "confirmed": "really deleted",
    "moved": "moved",
    "healed": "healed by a scan",
    "restored": "restored from the snapshot",
    "unknown": "in doubt",
    "lost": "lost",
}

_PRICE: Final = re.compile(r"(?P<before>[^\d\s.,-]*)\s*(?P<number>\d+(?:[.,]\d+)?)\s*(?P<after>[^\d\s.,-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The time of one phase of one section, all its tries together; seconds."""

    section: str
    phase: str
    name: str
    tries: int
    busy: float
    waiting: float
    stalled: float
    frozen: float
    outcome: str
    words: str
    added: int | None
    note: str

    @property
    def total(self) -> float:
        """All of it."""
        return self.busy + self.waiting + self.stalled + self.frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour costs, with the currency as it was given: `€0.57`, `0.57 EUR`."""

    hourly: float
    before: str = ""
    after: str = ""

    @classmethod
    def read(cls, text: str) -> "Price":
        """Return the price that *text* means, such as `0.57`, `€0.57` or `0.57 EUR`; raise `SettingsError` for another text."""
        found = _PRICE.fullmatch(text.strip())
        if found is None or (found["before"] and found["after"]):
            raise SettingsError(
                f"--hourly-price: {text!r} is no price; write a number, and a currency if you like: 0.57EUR"
            )
        hourly = float(found["number"].replace(",", "."))
        return cls(hourly=hourly, before=found["before"], after=found["after"])

    def of(self, seconds: float) -> str:
        """Return what *seconds* cost."""
        return self.amount(self.hourly * seconds / 3600)

    def amount(self, value: float) -> str:
        """Return *value* in this currency."""
        after = f" {self.after}" if self.after else ""
        return f"{self.before}{value:,.2f}{after}"


def duration_of(story: Story) -> float:
    """Return how long the run took, or has taken so far, its interruptions included; seconds."""
    told: float | None = story["run"]["duration"]
    return float(story["at"]) if told is None else told


def driven(story: Story) -> float:
    """Return how long a process drove the run: all the time but the interruptions; seconds."""
    return max(0.0, duration_of(story) - float(story["run"]["away"]))


def interruptions(story: Story) -> str:
    """Say how often and how long nobody drove the run; empty when somebody always did."""
    run = story["run"]
    if not run["gaps"]:
        return ""
    often = "once" if len(run["gaps"]) == 1 else f"{len(run['gaps'])} times"
    return f"{often}, for {duration(run['away'])}"


def time_table(story: Story) -> list[Row]:
    """Return a row for each phase of each section, in the order in which they were first tried."""
    return [row for section in story["sections"] for row in _rows(section, story["at"])]


def _rows(section: dict[str, Any], now: float) -> Iterator[Row]:
    tries: dict[str, list[dict[str, Any]]] = {}
    for phase in section["phases"]:
        tries.setdefault(phase["phase"], []).append(phase)
    for phases in tries.values():
        last = phases[-1]
        added = [phase["added"] for phase in phases if phase["added"] is not None]
        yield Row(
            section=section["title"],
            phase=last["phase"],
            name=last["name"],
            tries=len(phases),
            busy=sum(_busy(phase, now) for phase in phases),
            waiting=sum(phase["waiting"] for phase in phases),
            stalled=sum(phase["stalled"] for phase in phases),
            frozen=sum(phase["frozen"] for phase in phases),
            outcome=last["outcome"] or "running",
            words=last["words"],
            added=sum(added) if added else None,
            note=last["note"],
        )


def _busy(phase: dict[str, Any], now: float) -> float:
    """What a phase that is not over yet has taken counts as busy, but for what is known to be not."""
    if phase["busy"] is not None:
        return float(phase["busy"])
    return float(max(0.0, now - phase["start"] - phase["waiting"] - phase["stalled"] - phase["frozen"]))


def totals(rows: Iterable[Row], duration: float) -> dict[str, float]:
    """Return the seconds of *rows* by part, and under `other` what of *duration* was in no phase."""
    listed = list(rows)
    sums: dict[str, float] = {part: sum(getattr(row, part) for row in listed) for part in PARTS}
    return {**sums, "other": max(0.0, duration - sum(sums.values()))}


def frozen(story: Story) -> float:
    """Return how long Plex stood still in all, in phases and between them; seconds."""
    return float(story["mount"]["totals"].get("frozen", 0.0))


def frozen_between(story: Story, in_phases: dict[str, float]) -> str:
    """Return how long Plex stood still between phases, of which *in_phases* has the totals; nothing if it did not."""
    seconds = frozen(story) - in_phases["frozen"]
    return duration(seconds) if seconds >= 0.05 else ""


def lasted(incident: dict[str, Any]) -> str:
    """Return how long an incident lasted, in brackets; empty for one of a moment."""
    end = incident["end"]
    if end is None:
        return " (not over)"
    seconds = end - incident["start"]
    return f" ({duration(seconds)})" if seconds else ""


def not_analyzed(story: Story) -> list[str]:
    """Say for each analysis what it has left and why, and what a second try got; for other sections, what is left there."""
    lines = []
    for one in story["failures"]["left"]:
        what = "tracks have no sonic data" if one["phase"] == "sonic" else "files are not analysed"
        why = "; ".join(f"{words}: {count(files)}" for words, files in one["reasons"])
        if one["left"]:
            lines.append(f"{one['section']}: {count(one['left'])} of {count(one['total'])} {what} ({why}).")
        if one["retried"]:
            got = f"{count(one['recovered'])} of {count(one['retried'])}"
            lines.append(f"{one['section']}: a second try of the {one['name']} got {got}.")
    told = {one["section"] for one in story["failures"]["left"]}
    after = story["statistics"]["after"]
    for one in [] if after is None else after["sections"]:
        if one["analyzed"] < one["media"] and one["title"] not in told:
            left = count(one["media"] - one["analyzed"])
            lines.append(f"{one['title']}: {left} of {count(one['media'])} files are not analysed.")
    return lines


def kinds(story: Story) -> list[tuple[str, int | None, int, int]]:
    """Return what there is of each kind: `(kind, before, after, in the trash)`, kinds without any left out."""
    before, after = story["statistics"]["before"], story["statistics"]["after"]
    if after is None:
        return []
    rows = []
    for kind in Counts.__dataclass_fields__:
        old = None if before is None else before["live"][kind]
        new, trash = after["live"][kind], after["trashed"][kind]
        if old or new or trash:
            rows.append((kind, old, new, trash))
    return rows


def fates(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return how many removed entries had which fate, in words, worst last."""
    return [(word, counts[fate]) for fate, word in FATES.items() if counts[fate]]


def verified(story: Story) -> list[dict[str, Any]]:
    """Return what is known of removals, by section, and that of the run where no section has any."""
    removals = story["removals"]
    told = [*removals["sections"]] or ([removals["run"]] if removals["run"] else [])
    return [one for one in told if any(one["counts"].values())]


def as_json(story: Story, price: Price | None = None) -> dict[str, Any]:
    """Return the report as plain JSON values: the tables that are worked out, and the story they come from."""
    rows, duration = time_table(story), duration_of(story)
    cost = None
    if price is not None:
        currency = price.before or price.after
        value = round(price.hourly * driven(story) / 3600, 4)
        cost = {"hourly": price.hourly, "currency": currency, "total": value}
    return {
        "report": 1,
        "verdict": story["run"]["verdict"],
        "duration": duration,
        "time": [{**asdict(row), "total": round(row.total, 3)} for row in rows],
        "totals": {part: round(seconds, 3) for part, seconds in totals(rows, driven(story)).items()},
        "cost": cost,
        "story": story,
    }
