"""Answers about settings: the server's own, and those of a section."""

from typing import Any

from plexsuper.kinds import SectionType
from plexsuper.simulator.library.writer import Section
from plexsuper.simulator.life import Life
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.render import Element, container, done, failure, reply
from plexsuper.simulator.work.sonic import SECTION_SETTING

_SETTINGS = {
    "enableBIFGeneration": "Video preview thumbnails",
    "enableIntroMarkerGeneration": "Intro detection",
    "enableCreditsMarkerGeneration": "Credits detection",
    "enableAdMarkerGeneration": "Ad detection",
    "enableVoiceActivityGeneration": "Voice activity detection",
    "enableLoudnessAnalysis": "Loudness analysis",
}


def preferences(life: Life, request: Request) -> Response:
    """`GET /:/prefs`."""
    return reply(request, container(list(life.core.preferences.elements())))


def preference(life: Life, request: Request) -> Response:
    """`GET /:/prefs/get?id=`."""
    name = request.argument("id") or ""
    if name not in life.core.preferences:
        return failure(404, "Not Found")
    return reply(request, container([life.core.preferences.element(name)]))


def change_preferences(life: Life, request: Request) -> Response:
    """`PUT /:/prefs?Id=value`: an unknown id is accepted without any effect, as measured, or refused (knob)."""
    core = life.core
    wanted = {key: value for key, value in request.query if not key.startswith("X-Plex-")}
    refused = core.knobs.unknown_preference
    if refused != 200 and any(name not in core.preferences for name in wanted):
        return failure(refused, "Bad Request" if refused == 400 else "Forbidden")
    try:
        changed, unknown = core.preferences.change(wanted)
    except ValueError:
        return failure(400, "Bad Request")
    core.truth.record("preferences.changed", changed=changed, unknown=unknown)
    for name, value in changed.items():
        element: dict[str, Any] = core.preferences.element(name).attributes
        core.notifications.send("preference", {**element, "value": value})
    return done()


def section_preferences(life: Life, request: Request, number: str) -> Response:
    """`GET /library/sections/{id}/prefs`."""
    section = life.core.section(int(number))
    if section is None:
        return failure(404, "Not Found")
    values = life.core.library.section_settings(section.id)
    children = [
        Element(
            "Setting",
            {
                "id": name,
                "label": label,
                "summary": "",
                "type": "bool",
                "default": True,
                "value": values.get(name, "1") == "1",
                "hidden": False,
                "advanced": False,
                "group": "",
            },
        )
        for name, label in _settings_of(section).items()
    ]
    return reply(request, container(children))


def change_section_preferences(life: Life, request: Request, number: str) -> Response:
    """`PUT /library/sections/{id}/prefs?id=value`."""
    section = life.core.section(int(number))
    if section is None:
        return failure(404, "Not Found")
    known = _settings_of(section)
    wanted = {
        key: "1" if value in {"1", "true"} else "0"
        for name, value in request.query
        if (key := name.removeprefix("prefs[").removesuffix("]")) in known
    }
    life.core.library.change_section_settings(section.id, wanted)
    return done()


def _settings_of(section: Section) -> dict[str, str]:
    more = {SECTION_SETTING: "Sonic analysis"} if section.type is SectionType.ARTIST else {}
    return _SETTINGS | more
