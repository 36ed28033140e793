"""What the server's container is to be: pure, and the same words for making it and for knowing it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from plexsuper.errors import SettingsError

OWNER: Final = "plexsuper.owner"
SPEC: Final = "plexsuper.spec"
OURS: Final = "plexsuper"

CLAIM_FILE: Final = "/run/secrets/plex_claim"
"""Where a claim is put into a container that does not run yet: a variable could be read by `docker inspect`."""

SERVER_PORT: Final = 32400

Flavour: TypeAlias = Literal["official", "linuxserver"]

_VARIABLES: Final[Mapping[Flavour, tuple[str, str]]] = {
    "official": ("PLEX_UID", "PLEX_GID"),
    "linuxserver": ("PUID", "PGID"),
}
"""The variables that name user and group, from the images' own scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container with a Plex server.

    `media` is what the host has and `media_target` where the container sees it; with `remountable` their *parents* are
    bound as slaves, because a bind of the mount point itself never shows a mount that comes later. `memory` and
    `swap` are bytes (`swap` on top of memory), `cpus` may be a fraction; None: no limit. `port` is the host's, for a
    network of its own. `grace` is how long (s) the container's own stop may take before it kills the server.
    """

    name: str
    image: str
    config_dir: str
    media: str
    media_target: str
    remountable: bool = True
    transcode_dir: str | None = None
    network: str = "host"
    port: int = SERVER_PORT
    memory: int | None = None
    swap: int | None = None
    cpus: float | None = None
    uid: int | None = None
    gid: int | None = None
    timezone: str = "Etc/UTC"
    grace: float = 60.0
    environment: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot work; raise `SettingsError` with the reason."""
        if self.remountable:
            (above, leaf), (above_target, target) = _split(self.media), _split(self.media_target)
            if leaf != target:
                raise SettingsError(
                    f"the media is called {leaf} on the host and {target} in the container; the directory above it is "
                    "bound, so that a later mount is seen: its last name must be the same"
                )
            for path in (above, above_target):
                if path in {"", "/"}:
                    raise SettingsError(
                        f"the directory above the media would be the root directory ({self.media}): mount the media "
                        "one level deeper, such as /srv/media/library"
                    )

    @property
    def flavour(self) -> Flavour:
        """Whose image it is; the two differ in variables and in where their services are."""
        return "linuxserver" if "linuxserver" in self.image else "official"

    @property
    def claims_itself(self) -> bool:
        """Whether the container exchanges a claim before its server starts.

        linuxserver's image starts the server, waits until its database is quiet, ends it, exchanges the claim and
        starts it again: whoever asks meanwhile finds a server that is about to go. There the claim is given to the
        server itself when it runs.
        """
        return self.flavour == "official"

    @property
    def essence(self) -> dict[str, str]:
        """What must be the same for a container to be the one that these settings mean."""
        return {
            "image": self.image,
            "config": self.config_dir,
            "media": f"{self.media}:{self.media_target}",
            "transcode": self.transcode_dir or "",
            "network": self.network if self.network == "host" else f"{self.network}:{self.port}",
            "limits": f"memory {self.memory}, swap {self.swap}, cpus {self.cpus}",
            "user": f"{self.uid}:{self.gid}",
            "environment": " ".join(f"{name}={value}" for name, value in sorted(self.environment)),
        }

    def creation(self, *, claim: bool) -> dict[str, Any]:
        """Return the body of the engine's create call; with *claim* the server looks for `CLAIM_FILE`."""
        return {
            "Image": self.image,
            "Hostname": None if self.network == "host" else self.name,
            "Env": [f"{name}={value}" for name, value in self._variables(claim=claim)],
            "Labels": {OWNER: OURS, SPEC: json.dumps(self.essence, sort_keys=True)},
            "StopTimeout": int(self.grace) + 15,
            "ExposedPorts": {f"{SERVER_PORT}/tcp": {}},
            "HostConfig": {
                "Mounts": list(self._mounts()),
                "NetworkMode": self.network,
                "PortBindings": self._ports(),
                "Memory": self.memory or 0,
                "MemorySwap": self._memory_and_swap(),
                "NanoCpus": int((self.cpus or 0) * 1e9),
                "RestartPolicy": {"Name": "no"},
            },
        }

    def _variables(self, *, claim: bool) -> Sequence[tuple[str, str]]:
        uid, gid = _VARIABLES[self.flavour]
        found = [("TZ", self.timezone), ("S6_SERVICES_GRACETIME", str(int(self.grace * 1000)))]
        if self.uid is not None:
            found.append((uid, str(self.uid)))
        if self.gid is not None:
            found.append((gid, str(self.gid)))
        if self.flavour == "linuxserver":
            found.append(("VERSION", "docker"))  # the image's own version, no download at the start
        if claim:
            found.append(("PLEX_CLAIM_FILE", CLAIM_FILE))
        return [*found, *self.environment]

    def _mounts(self) -> Sequence[dict[str, Any]]:
        if self.remountable:
            media = _bind(_split(self.media)[0], _split(self.media_target)[0], "rslave")
        else:
            media = _bind(self.media, self.media_target)
        binds = [_bind(self.config_dir, "/config"), media]
        if self.transcode_dir is not None:
            binds.append(_bind(self.transcode_dir, "/transcode"))
        return binds

    def _ports(self) -> dict[str, Any]:
        if self.network in {"host", "none"}:
            return {}
        return {f"{SERVER_PORT}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]}

    def _memory_and_swap(self) -> int:
        if self.memory is None:
            return 0
        return self.memory + (self.swap or 0)


def differences(labels: Mapping[str, str], spec: ContainerSpec) -> tuple[str, ...]:
    """Return in what a container with these labels differs from *spec*, as `image: was A, is to be B`."""
    try:
        theirs = json.loads(labels.get(SPEC, ""))
    except ValueError:
        return ("it does not say how it was made",)
    return tuple(
        f"{key}: was {theirs.get(key, 'not known')}, is to be {value}"
        for key, value in spec.essence.items()
        if theirs.get(key) != value
    )


def _bind(source: str, target: str, propagation: str | None = None) -> dict[str, Any]:
    bind: dict[str, Any] = {"Type": "bind", "Source": source, "Target": target}
    if propagation is not None:
        bind["BindOptions"] = {"Propagation": propagation}
    return bind


def _split(path: str) -> tuple[str, str]:
    above, _, name = path.rstrip("/").rpartition("/")
    return above, name
