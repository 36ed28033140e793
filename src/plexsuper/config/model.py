"""All settings of a run in one value; `load.py` reads and merges the sources, `tables.py` has the tables."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plexsuper.config.tables import (
    EventSettings,
    GuardSettings,
    LibrarySettings,
    MediaSettings,
    MetricsSettings,
    NotifySettings,
    PlexSettings,
    RunSettings,
    Timing,
    WebSettings,
)
from plexsuper.config.types import LocalPath, ProfileName
from plexsuper.paths import state_dir
from plexsuper.profiles import DEFAULT_PROFILE, LOCAL_DELTA, LOCAL_QUICK, PROFILES
from plexsuper.redact import Redactor

ENV_PREFIX: Final = "PLEXSUPER_"


class Settings(BaseSettings):
    """Everything that can be set. Made by `load_settings`, or directly from values that are right."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
        validate_default=False,
    )

    profile: ProfileName = Field(
        DEFAULT_PROFILE, description="the defaults for all patience: " + ", ".join(PROFILES)
    )
    state_dir: LocalPath = Field(default_factory=state_dir, description="where plexsuper keeps its own files")
    plex: PlexSettings = PlexSettings()
    media: MediaSettings = MediaSettings()
    library: LibrarySettings = LibrarySettings()
    run: RunSettings = RunSettings()
    guard: GuardSettings = GuardSettings()
    timing: Timing = Timing()
    events: EventSettings = EventSettings()
    web: WebSettings = WebSettings()
    metrics: MetricsSettings = MetricsSettings()
    notify: NotifySettings = NotifySettings()

    _file: Path | None = PrivateAttr(default=None)
    _exposed: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is given: `load_settings` merges the sources, because it must know where each value is from."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, values: Any) -> Any:
        """Put the profile's numbers, and the quick pace if it is wanted, below what is given."""
        if not isinstance(values, dict):
            return values
        profile = PROFILES.get(str(values.get("profile", DEFAULT_PROFILE)), LOCAL_DELTA)
        run = values.get("run")
        quick = (
            run.quick if isinstance(run, RunSettings) else isinstance(run, dict) and _truth(run.get("quick"))
        )
        pace = LOCAL_QUICK.pace() if quick else {}
        return merge(merge(profile.defaults(), pace), values)

    @property
    def file(self) -> Path | None:
        """The settings file that was read; None when there was none."""
        return self._file

    @property
    def exposed_secrets(self) -> tuple[str, ...]:
        """The keys of secrets that stand in a settings file which other users may read."""
        return self._exposed

    def secrets(self) -> tuple[str, ...]:
        """Return every secret value, for a `Redactor`."""
        found = (self.plex.token, self.plex.claim, self.web.token, self.notify.ping_url, *self.notify.urls)
        return tuple(secret.get_secret_value() for secret in found if secret is not None)

    def public(self) -> dict[str, object]:
        """Return all settings as plain JSON values, with the computed stall time and without secrets."""
        values: dict[str, Any] = self.model_dump(mode="json")
        redactor = Redactor(self.secrets())
        plex = values["plex"]
        # Not each word by itself: a secret is also known by the option before it.
        plex["command"] = redactor(shlex.join(self.plex.command))
        for name in ("token", "claim"):
            plex[name] = None if plex[name] is None else "set"
        web = values["web"]
        web["token"] = None if web["token"] is None else "set"
        notify = values["notify"]
        notify["urls"] = ["set" for _ in notify["urls"]]
        notify["ping_url"] = None if notify["ping_url"] is None else "set"
        return values


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return *lower* with everything of *upper* put over it, table by table."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _truth(value: object) -> bool:
    """Read *value* as the field itself will; what is no truth value is reported there."""
    try:
        return _BOOL.validate_python(value)
    except ValidationError:
        return False


_BOOL: Final = TypeAdapter(bool)
