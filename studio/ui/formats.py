"""How numbers, money, spans of time and foreign text are written on screen."""

from __future__ import annotations

import re
from datetime import datetime

from storage.types import now

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~$:])")
_STEPS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def plain(text: str) -> str:
    """Foreign text made safe for places that read Markdown: nothing in it is markup, an image or an icon."""
    return _MARKDOWN.sub(r"\\\1", text)


def short_number(number: float) -> str:
    """1,234 · 12.3k · 4.5M."""
    if abs(number) < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1e3:,.1f}k" if abs(number) < 1e6 else f"{number / 1e6:,.1f}M"


def money(usd: float) -> str:
    """$1,234 · $12.30 · $0.0042."""
    if usd == 0 or abs(usd) >= 1000:
        return f"${usd:,.0f}"
    return f"${usd:.2f}" if abs(usd) >= 0.1 else f"${usd:.4f}"


def percent(share: float, digits: int = 1) -> str:
    """A share of 0..1 as a percentage."""
    return f"{share * 100:.{digits}f}%"


def milliseconds(ms: float) -> str:
    """340 ms · 1.2 s."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def span(seconds: float) -> str:
    """45 s · 12 min · 3 h · 2 d."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(moment: datetime | None) -> str:
    """How long ago it was, in words; never, when it has not happened."""
    if moment is None:
        return "never"
    seconds = (now() - moment).total_seconds()
    return "just now" if seconds < 10 else f"{span(seconds)} ago"
