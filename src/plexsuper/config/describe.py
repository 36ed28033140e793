"""What can be set, for people: the commented file that `plexsuper init` writes, and the page of the documentation."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from plexsuper.config.file import Key
from plexsuper.config.findings import KEYS
from plexsuper.config.load import FLAGS, SHORT_NAMES, variable
from plexsuper.config.tables import Budgets
from plexsuper.durations import spell_duration
from plexsuper.kinds import SectionType
from plexsuper.profiles import PROFILES, Profile

_BY_PROFILE: Final = frozenset(
    {("timing", name) for name in ("interval", "threshold", "cap", "ready_patience", "token_patience")}
    | {("timing", "budgets", type_.value) for type_ in SectionType}
    | {("media", name) for name in ("patience", "connections")}
    | {("plex", "docker", name) for name in ("memory", "swap", "cpus")}
)

_PREAMBLE: Final = """\
# Settings of plexsuper. Every line that is commented out shows what holds without it, or an example.
# The environment is stronger than this file, and flags are stronger than the environment; the variable for a key
# is PLEXSUPER_ and the key in capitals, with __ between its parts: PLEXSUPER_PLEX__URL.
# A duration is a number of seconds, or a text such as "90s", "15m", "4h" or "3d". A path that is not absolute
# begins where this file is. `plexsuper check` says what a run would do with these settings.
#
# Needed at least: plex.config_dir (or PLEX_TOKEN) and media.path.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting: its key, what holds without it (None: nothing), an example, its meaning, and its other names."""

    key: Key
    default: Any
    example: Any
    meaning: str

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables, the strongest first."""
        return (variable(self.key), *(name for name, key in SHORT_NAMES.items() if key == self.key))

    @property
    def flag(self) -> str:
        """The command-line flag; empty if there is none."""
        return FLAGS.get(self.key, "")

    @property
    def shown_default(self) -> str:
        """What holds without it, for a table."""
        if self.key in _BY_PROFILE:
            return "by profile"
        if self.key == ("state_dir",):
            return "`~/.local/state/plexsuper`"
        return f"`{_toml(self.default)}`" if self.default not in {None, ()} else ""


def entries() -> Iterator[Entry]:
    """Yield every setting, in the order of the file."""
    for key, info in KEYS.items():
        default = info.get_default(call_default_factory=False)
        default = None if default is PydanticUndefined else default
        example = (info.examples or [default])[0]
        yield Entry(key=key, default=default, example=example, meaning=info.description or "")


def settings_file() -> str:
    """Return a settings file in which everything is explained and commented out."""
    lines = [_PREAMBLE]
    for table, group in groupby(entries(), key=lambda entry: entry.key[:-1]):
        if table:
            lines.append(f"[{'.'.join(table)}]\n")
        for entry in group:
            example = "~/.local/state/plexsuper" if entry.key == ("state_dir",) else entry.example
            meaning = textwrap.fill(entry.meaning, 110, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{meaning}\n# {entry.key[-1]} = {_toml(example)}\n")
    return "\n".join(lines)


def settings_page() -> str:
    """Return the page of the documentation (Markdown) on all settings and the profiles."""
    return f"""\
# Settings

This page is made from the settings model; `python -m plexsuper.config.describe > docs/settings.md` writes it anew.

A value comes from the first of these that has one: flags, the environment, the settings file, the profile, the
defaults below. The settings file is `--config FILE`, else `plexsuper.toml` here, else
`$XDG_CONFIG_HOME/plexsuper/plexsuper.toml`, else `/etc/plexsuper/plexsuper.toml`, that of the service, with which `state_dir` is
`/var/lib/plexsuper` unless it says otherwise; `plexsuper init` writes a commented one. A duration is a number of seconds or
a text such as `90s`, `15m`, `4h`. In the environment, lists are written with commas (`Movies, Music`) or as JSON, and
empty variables count as not set. Everything that is wrong is reported at once, with file and line, and ends with exit
code 2 before anything is started.

{_settings_table()}
## Profiles

A phase is *stalled* after `threshold` looks, `interval` apart, without any progress; past its *budget* it goes on with a
warning as long as it progresses; at its *cap* it ends. `--quick` takes `interval` and `threshold` from `local_quick`
and everything else from the profile. *Memory* and *processors* are the share of this machine that a container with the
server may use (`plex.docker`), and a quarter of that memory as swap besides; 1.5 GiB are always left to rclone and the
rest where there is twice as much. On an engine of another host only what is set is a limit.

{_profiles_table()}"""


def _settings_table() -> str:
    lines = []
    for table, group in groupby(entries(), key=lambda entry: entry.key[:-1]):
        lines.append(f"## {'.'.join(table) or 'General'}\n")
        if table == ("timing", "budgets"):
            lines.append((Budgets.__doc__ or "") + "\n")
        lines += ["| key | without it | meaning | flag | environment |", "|---|---|---|---|---|"]
        for entry in group:
            variables = ", ".join(f"`{name}`" for name in entry.variables)
            flag = f"`{entry.flag}`" if entry.flag else ""
            lines.append(
                f"| `{'.'.join(entry.key)}` | {entry.shown_default} | {entry.meaning} | {flag} | {variables} |"
            )
        lines.append("")
    return "\n".join(lines)


def _profiles_table() -> str:
    columns = "| profile | for | stalled after | budget: photos | budget: others | cap | ready | token | outage of storage | connections | memory | processors |"
    lines = [columns, "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    lines += [_profile_row(profile) for profile in PROFILES.values()]
    return "\n".join(lines) + "\n"


def _profile_row(profile: Profile) -> str:
    stall = f"{profile.threshold} x {profile.interval:g} s = {profile.stall_after:g} s"
    durations = (
        profile.budgets[SectionType.PHOTO],
        profile.budgets[SectionType.MOVIE],
        profile.cap,
        profile.ready_patience,
        profile.token_patience,
        profile.media_patience,
    )
    shares = (f"{share:.0%}" for share in (profile.memory_share, profile.cpu_share))
    columns = (
        f"`{profile.name}`",
        profile.use,
        stall,
        *map(spell_duration, durations),
        str(profile.connections),
        *shares,
    )
    return f"| {' | '.join(columns)} |"


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        return '"…"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 - this is the command that writes the page
