"""Who the server is: Preferences.xml as the official container writes it, machine identifiers and the claim."""

import hashlib
import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from plexsuper.errors import StateError
from plexsuper.simulator.logs import Print


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What plex.tv would say about the owner: `token` is what a granted claim gives."""

    claimed: bool = True
    plex_pass: bool = True
    token: str = "sim-token-abcdefghij"  # noqa: S105 - opens nothing but the simulator
    username: str = "simon"
    claim: str = ""
    """A claim token (`claim-...`): an unclaimed server exchanges it before it starts."""


class PreferencesFile:
    """The attributes of the one element of Preferences.xml.

    The file is replaced (new inode, mode 0600) on every change, as the server does. In it are the identity, the
    token of a claimed server, and every setting that differs from its default.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = {}
        if path.exists():
            try:
                self.values = dict(ET.fromstring(path.read_bytes()).attrib)  # noqa: S314 - our own file
            except ET.ParseError as error:
                raise StateError(
                    f"{path} is not XML: {error}; remove it, the simulator makes a new one"
                ) from error

    def change(self, values: Mapping[str, str | None]) -> None:
        """Set attributes, None removes one, and write the file if that changes anything."""
        after = {**self.values, **{key: value for key, value in values.items() if value is not None}}
        for key in (key for key, value in values.items() if value is None):
            after.pop(key, None)
        if after != self.values or not self.path.exists():
            self.values = after
            self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in self.values.items())
        text = f'<?xml version="1.0" encoding="utf-8"?>\n<Preferences {attributes}/>\n'
        new = self.path.with_name(f".{self.path.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(self.path)


def processed_identifier(machine: str) -> str:
    """Return `ProcessedMachineIdentifier`, the server's public identity: a SHA-1 the container script computes."""
    return hashlib.sha1(f"{machine}- Plex Media Server".encode(), usedforsecurity=False).hexdigest()


def first_run(
    file: PreferencesFile, account: Account, rng: random.Random, *, granted: bool, out: Print
) -> bool:
    """Do what the container's first-run script does before the server starts; say whether a token is due.

    A claim happens here or never: a failed exchange is silent and the server starts unclaimed.
    """
    if "MachineIdentifier" not in file.values:
        machine = str(UUID(int=rng.getrandbits(128), version=4))
        file.change(
            {
                "MachineIdentifier": machine,
                "ProcessedMachineIdentifier": processed_identifier(machine),
                "AnonymousMachineIdentifier": str(UUID(int=rng.getrandbits(128), version=4)),
                "MetricsEpoch": "1",
                "GlobalMusicVideoPathMigrated": "1",
                "AcceptedEULA": "1",
                "OldestPreviousVersion": "legacy",
                "TranscoderTempDirectory": "/transcode",
            }
        )
    if "PlexOnlineToken" in file.values:
        return True
    if not account.claim:
        return account.claimed
    out("Attempting to obtain server token from claim token")
    if not granted or not account.claim.startswith("claim-"):
        return False
    out("Token obtained successfully")
    return True


def token_attributes(account: Account) -> dict[str, str | None]:
    """Return what a claimed server keeps about its owner."""
    return {
        "PlexOnlineToken": account.token,
        "PlexOnlineUsername": account.username,
        "PlexOnlineMail": f"{account.username}@example.net",
        "PlexOnlineHome": "1",
        "PublishServerOnPlexOnlineKey": "1",
        "CertificateVersion": "3",
    }


def same_token(left: str, right: str) -> bool:
    """Compare two tokens."""
    return secrets.compare_digest(left.encode(), right.encode())
