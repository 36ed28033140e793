"""Who may see the page: pure decisions about one request.

On a loopback address everybody on this machine may; then the name in the `Host` header has to be one of this
machine's own, because a foreign web page can make its own name point here (DNS rebinding). On any other address a
token is needed: once in the address, from then on in a cookie, or as a bearer token for programs.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import SecretStr

Answer: TypeAlias = Literal["welcome", "introduce", "unknown", "foreign"]
"""Let in; let in and give the cookie; turned away for want of the token; turned away for the name of the host."""

_BEARER: Final = "Bearer "
_LOCAL_NAMES: Final = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one page; `token` None lets everybody in who is on this machine."""

    token: SecretStr | None

    @classmethod
    def to(cls, host: str, token: SecretStr | None) -> "Access":
        """Return the rule for a page at *host*: without a *token* a random one, unless *host* is this machine only."""
        if token is None and not is_loopback(host):
            token = SecretStr(secrets.token_urlsafe(24))
        return cls(token)

    @property
    def cookie(self) -> str:
        """The value of the cookie: it follows from the token, but the token does not follow from it."""
        return hmac.digest(self._key, b"plexsuper page", "sha256").hex()

    @property
    def _key(self) -> bytes:
        return b"" if self.token is None else self.token.get_secret_value().encode()

    def judge(
        self, *, host: str, token: str | None, cookie: str | None, authorization: str | None = None
    ) -> Answer:
        """Say what to do with a request that has these values of its address and its headers."""
        if self.token is None:
            return "welcome" if _is_own_name(host) else "foreign"
        if token is not None and _same(token.encode(), self._key):
            return "introduce"
        if cookie is not None and _same(cookie.encode(), self.cookie.encode()):
            return "welcome"
        if authorization is not None and authorization.startswith(_BEARER):
            given = authorization.removeprefix(_BEARER).encode()
            return "welcome" if _same(given, self._key) else "unknown"
        return "unknown"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*, a name or an address."""
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def headers() -> Mapping[str, str]:
    """Return what every answer carries: nothing foreign is loaded, framed, guessed, kept or told."""
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
        "Server": "plexsuper",
    }


def _is_own_name(host: str) -> bool:
    """Whether the `Host` header *host*, with or without a port, names this machine from its own point of view."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name.lower())


def _same(one: bytes, other: bytes) -> bool:
    return secrets.compare_digest(one, other)
