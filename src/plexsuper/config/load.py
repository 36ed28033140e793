"""Reads the settings from everywhere, merges them, and reports everything that is wrong with them at once.

Flags are stronger than the environment, that is stronger than the settings file, that than the profile, and that than
the defaults. An environment variable is a key in capitals with `__` between its parts: `PLEXSUPER_PLEX__URL`.
"""

import copy
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from plexsuper.config.conflicts import conflicts
from plexsuper.config.file import Key, SettingsFile, read_settings_file
from plexsuper.config.findings import (
    KEYS,
    SECRET_KEYS,
    Finding,
    WrongSettings,
    did_you_mean,
    from_validation,
    nearest_key,
)
from plexsuper.config.model import ENV_PREFIX, Settings, merge
from plexsuper.definitions import DefinitionsError, load_definitions
from plexsuper.paths import PlexPaths, settings_file

FLAGS: Final[Mapping[Key, str]] = MappingProxyType(
    {
        ("profile",): "--profile",
        ("run", "sections"): "--section",
        ("run", "sonic"): "--no-sonic",
        ("run", "refresh"): "--refresh",
        ("run", "deep"): "--deep",
        ("run", "quick"): "--quick",
        ("run", "dry_run"): "--dry-run",
        ("events", "format"): "--events",
        ("web", "enabled"): "--web",
        ("run", "fresh"): "--fresh",
        ("guard", "empty_trash"): "--empty-trash",
        ("guard", "when_idle"): "--when-idle",
        ("guard", "enabled"): "--no-guard",
    }
)
"""Every setting that has a flag, and the flag."""

# The two names under which everybody knows these secrets; the long names win.
SHORT_NAMES: Final[Mapping[str, Key]] = MappingProxyType(
    {"PLEX_TOKEN": ("plex", "token"), "PLEX_CLAIM": ("plex", "claim")}
)
# Not settings: one prints tracebacks, two are for the tests, and Kubernetes puts such
# variables into every container when there is a service called "plexsuper".
_NOT_SETTINGS: Final = re.compile(
    r"PLEXSUPER_(DEBUG|REQUIRE|ARTIFACTS|SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?)"
)
_PATH_KEYS: Final = tuple(key for key, info in KEYS.items() if "Path" in str(info.annotation))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The values of one source, and what to call the place where a value of it stands."""

    values: dict[str, Any]
    places: Mapping[Key, str] = field(default_factory=dict)
    file: SettingsFile | None = None

    def has(self, key: Key) -> bool:
        return _find(self.values, key) is not None

    def place(self, key: Key) -> str:
        if self.file is not None:
            return self.file.place(key)
        return self.places.get(key, variable(key))


def load_settings(*, flags: Mapping[Key, Any] = MappingProxyType({}), file: Path | None = None) -> Settings:
    """Return the settings of this run.

    Args:
        flags: what was given on the command line, by key: `{("run", "deep"): True}`.
        file: the settings file; without it the usual places are looked at, and none needs to exist.

    Raises:
        WrongSettings: with everything that is wrong: unknown keys, wrong values, impossible combinations, unreadable files.
    """
    source = _settings_file(file)
    layers = (_from_flags(flags), _from_environment(), _from_file(source))
    found = (
        []
        if source is None or not source.problem
        else [Finding(place=str(source.path), key="", reason=source.problem)]
    )
    found += _unknown_variables()
    settings, wrong, complaints = _validate(layers)
    found += complaints
    if not (source is not None and source.problem):  # else most of the settings are unknown
        found += _impossible(settings, layers, wrong)
    if found:
        raise WrongSettings(found)
    settings = _with_real_config_dir(settings)
    settings._file = None if source is None else source.path
    settings._exposed = _exposed(source)
    return settings


def _settings_file(file: Path | None) -> SettingsFile | None:
    path = file or settings_file()
    return None if path is None else read_settings_file(path)


def _from_flags(flags: Mapping[Key, Any]) -> _Layer:
    values: dict[str, Any] = {}
    for key, value in flags.items():
        values = merge(values, _nest(key, value))
    return _Layer(values=values, places=FLAGS)


def _from_environment() -> _Layer:
    values: dict[str, Any] = {}
    places: dict[Key, str] = {}
    for name, key in SHORT_NAMES.items():
        if value := os.environ.get(name):
            values = merge(values, _nest(key, value))
            places[key] = name
    ours = EnvSettingsSource(Settings)()
    places = {key: name for key, name in places.items() if _find(ours, key) is None}
    return _Layer(values=merge(values, ours), places=places)


def _from_file(source: SettingsFile | None) -> _Layer:
    if source is None:
        return _Layer(values={})
    values = source.values
    for key in _PATH_KEYS:  # a path in a file means the same wherever plexsuper is started
        path = _find(values, key)
        if isinstance(path, str):
            values = merge(values, _nest(key, str(source.path.parent / Path(path).expanduser())))
    return _Layer(values=values, file=source)


def _unknown_variables() -> Iterator[Finding]:
    """Find the variables that begin like ours and whose first part is no setting: the library leaves them out."""
    for name in os.environ:
        if not name.upper().startswith(ENV_PREFIX) or _NOT_SETTINGS.fullmatch(name.upper()):
            continue
        key = tuple(name[len(ENV_PREFIX) :].lower().split("__"))
        if key[0] not in Settings.model_fields:
            near = nearest_key(key)
            hint = did_you_mean(variable(near)) if near else ""
            yield Finding(place=name, key=".".join(key), reason="unknown key", hint=hint)


def variable(key: Key) -> str:
    """Return the environment variable for *key*."""
    return ENV_PREFIX + "__".join(key).upper()


def _validate(layers: Sequence[_Layer]) -> tuple[Settings, set[Key], list[Finding]]:
    """Return settings in which wrong values are left out, the keys of those, and what is wrong with them."""
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        values = merge(values, copy.deepcopy(layer.values))  # wrong values are taken out below
    wrong: set[Key] = set()
    findings: list[Finding] = []
    while True:
        try:
            return Settings(**values), wrong, findings
        except ValidationError as error:
            for key, finding in from_validation(error, lambda key: _place(layers, key)):
                wrong.add(key)
                findings.append(finding)
                _remove(values, key)


def _impossible(settings: Settings, layers: Sequence[_Layer], wrong: set[Key]) -> Iterator[Finding]:
    for conflict in conflicts(settings):
        if wrong.isdisjoint(conflict.keys):
            given = next(
                (key for key in conflict.keys if any(layer.has(key) for layer in layers)), conflict.keys[0]
            )
            place = _place(layers, conflict.keys[0]) or _place(layers, given)
            yield Finding(
                place=place, key=".".join(conflict.keys[0]), reason=conflict.reason, hint=conflict.hint
            )
    definitions = ("run", "definitions")
    if settings.run.definitions is not None:
        try:
            load_definitions(settings.run.definitions)
        except DefinitionsError as error:
            for problem in error.problems:
                yield Finding(
                    place=_place(layers, definitions),
                    key=".".join(definitions),
                    reason=f"{error.path}: {problem}",
                )


def _with_real_config_dir(settings: Settings) -> Settings:
    """Replace a config directory below which Plex's own one lies in another place than usual (NAS packages)."""
    if settings.plex.config_dir is None:
        return settings
    found = PlexPaths.found(settings.plex.config_dir)
    if found == settings.plex.paths:
        return settings
    return settings.model_copy(update={"plex": settings.plex.model_copy(update={"config_dir": found.root})})


def _exposed(source: SettingsFile | None) -> tuple[str, ...]:
    if source is None or not source.readable_by_others:
        return ()
    return tuple(".".join(key) for key in sorted(SECRET_KEYS) if _find(source.values, key))


def _place(layers: Sequence[_Layer], key: Key) -> str:
    """Return where the value that counts for *key* stands; empty when nobody gave one."""
    return next((layer.place(key) for layer in layers if layer.has(key)), "")


def _nest(key: Key, value: Any) -> dict[str, Any]:
    for name in reversed(key):
        value = {name: value}
    nested: dict[str, Any] = value
    return nested


def _find(values: Mapping[str, Any], key: Key) -> Any:
    found: Any = values
    for name in key:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def _remove(values: dict[str, Any], key: Key) -> None:
    table = _find(values, key[:-1]) if len(key) > 1 else values
    if isinstance(table, dict):
        table.pop(key[-1], None)
