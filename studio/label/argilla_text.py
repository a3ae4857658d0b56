"""Text as Argilla shows it: escaped, because its web page renders fields as HTML, yet counted in the same characters.

The browser turns the escaped text back into one text node, so a span marked in it has the offsets of the text itself,
in UTF-16 units. What a browser would change on the way (carriage returns, characters beyond 16 bits) is sent as a
numbered character, and offsets are converted to Python's.
"""

from __future__ import annotations

import re
from html import unescape

CUT = "\n… (cut: too long for the labeling platform)"
UNSAFE = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\U00010000-\U0010ffff]")
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
UNSHOWABLE = "\ufffd"


def escaped(text: str, longest: int = 0) -> str:
    """The text so that Argilla's page shows exactly it; cut, with a note, where it is longer than `longest`."""
    whole = UNSAFE.sub(_numbered, text)
    if not longest or len(whole) <= longest:
        return whole
    kept = whole[: longest - len(CUT)]
    return kept[: kept.rfind("&")] + CUT if "&" in kept[-10:] else kept + CUT


def plain(shown: str) -> str:
    """The text that `escaped` was given (with unshowable characters replaced)."""
    return unescape(shown) if "&" in shown else shown


def to_browser(text: str, offset: int) -> int:
    """A character offset in UTF-16 units, as the browser counts."""
    return len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2


def from_browser(text: str, offset: int) -> int:
    """An offset in UTF-16 units in characters."""
    units = text.encode("utf-16-le", "surrogatepass")[: offset * 2]
    return len(units.decode("utf-16-le", "ignore"))


def _numbered(match: re.Match[str]) -> str:
    character = match[0]
    if character in NAMED:
        return NAMED[character]
    return f"&#{ord(character)};" if ord(character) > 0xFFFF else UNSHOWABLE
