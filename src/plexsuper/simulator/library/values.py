"""The encodings Plex uses inside columns: extra data, guids, sort titles, hashes, sonic vectors, paths."""

import gzip
import hashlib
import json
import random
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, quote

from plexsuper.kinds import MetadataType

Text: TypeAlias = str | bytes

SONIC_DIMENSIONS = 50
_ARTICLES = ("The ", "A ", "An ")


def encode_extra_data(fields: Mapping[str, str]) -> str:
    """Return *fields* as 1.43 stores them: JSON with sorted keys, then `url` with the older url-encoded form."""
    ordered = {key: fields[key] for key in sorted(fields)}
    url = "&".join(f"{_escape(key)}={_escape(value)}" for key, value in ordered.items())
    return json.dumps({**ordered, "url": url}, separators=(",", ":"), ensure_ascii=False)


def decode_extra_data(text: str | None) -> dict[str, str]:
    """Return the fields of an `extra_data` column, be it JSON, the older url-encoded form, or empty."""
    if not text:
        return {}
    if not text.startswith("{"):
        return dict(parse_qsl(text, keep_blank_values=True))
    fields = json.loads(text)
    return {key: str(value) for key, value in fields.items() if key != "url"}


def guid(kind: MetadataType, *identity: str) -> str:
    """Return a stable `plex://` guid (photos: `local://`, Plex has no agent for them) for the item named *identity*."""
    digest = hashlib.sha1(
        "\0".join(identity).encode(errors="surrogateescape"), usedforsecurity=False
    ).hexdigest()
    if kind in {MetadataType.PHOTO, MetadataType.PHOTO_ALBUM}:
        return f"local://{digest[:24]}"
    return f"plex://{kind.name.lower()}/{digest[:24]}"


def file_hash(path: str) -> str:
    """Return 40 hex digits that stand for the file at *path* (`media_parts.hash`)."""
    return hashlib.sha1(path.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()


def sort_title(title: str) -> str:
    """Return *title* without a leading English article."""
    for article in _ARTICLES:
        if title.startswith(article) and len(title) > len(article):
            return title[len(article) :]
    return title


def sonic_blob(identity: str) -> bytes:
    """Return a sonic vector as the blobs database holds it: gzip of 50 comma separated ASCII floats."""
    rng = random.Random(identity)  # noqa: S311 # made-up data that must be the same every time
    vector = ",".join(f"{rng.uniform(-1, 1):.6f}" for _ in range(SONIC_DIMENSIONS))
    return gzip.compress(vector.encode("ascii"), compresslevel=1, mtime=0)


def storable(path: str) -> Text:
    """Return *path* as it can be stored: as it is, or its raw bytes where they are not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape")
    return path


def _escape(text: str) -> str:
    # Recorded: '.' and ':' are escaped, '-' is not
    return quote(text, safe="-").replace(".", "%2E")
