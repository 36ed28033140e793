"""Makes a text harmless where people read it: names of files, titles and what servers answer are anybody's."""

import re
from typing import Final

# Control characters, what turns the direction of writing, and what is not seen at all. Not the two joiners (U+200C,
# U+200D): scripts of India and Iran, and families of emoji, are not written without them.
_STEERING: Final = (
    "\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_OBEYED: Final = re.compile(f"[{_STEERING}]")
_BLANK: Final = re.compile(f"[{_STEERING} \xa0\ud800-\udfff]+")


def plain(text: str) -> str:
    """Return *text* as one line that a terminal cannot misread: no control characters, no lone surrogates."""
    return _BLANK.sub(" ", text).strip()


def escaped(text: str) -> str:
    r"""Return *text* with what a terminal would obey as `\x1b` or `\u202e`: it stays one line, and a name can be told by it."""
    return _OBEYED.sub(_code, text)


def escaped_lines(text: str) -> str:
    """Return *text* as `escaped` does, each of its lines by itself."""
    return "\n".join(map(escaped, text.split("\n")))


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
