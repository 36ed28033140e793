"""What of a foreign text may be shown to people: its beginning, on one line, without any secret (lesson F05)."""

import re

from plexsuper.redact import Redactor

_MARKUP = re.compile(r"(?is)<\?.*?\?>|<!.*?>|</?(?:html|head|title|body|h1|p|hr|br|center)\b[^>]*>")


def excerpt(body: bytes | str, *secrets: str, length: int = 200) -> str:
    """Return the beginning of *body* as one redacted line of at most *length* characters.

    HTML mark-up is taken out (a 401 of Plex is an HTML page), XML is kept: there the text is in attributes.
    """
    text = body if isinstance(body, str) else body[: 16 * length].decode("utf-8", "replace")
    text = Redactor(secrets)(" ".join(_MARKUP.sub(" ", text).split()))
    return text if len(text) <= length else text[: length - 1] + "…"
