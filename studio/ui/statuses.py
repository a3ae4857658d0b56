"""One colour and one icon per meaning, for jobs, calls, revisions, tasks and versions alike."""

from __future__ import annotations

from typing import Literal

Color = Literal["red", "orange", "blue", "green", "violet", "gray"]

_LOOKS: dict[str, tuple[Color, str]] = {
    "good": ("green", ":material/check:"),
    "bad": ("red", ":material/error:"),
    "busy": ("blue", ":material/progress_activity:"),
    "waiting": ("gray", ":material/schedule:"),
    "warning": ("orange", ":material/warning:"),
    "off": ("gray", ":material/block:"),
    "other": ("gray", ":material/circle:"),
}
_MEANING = {
    "ok succeeded ready live complete completed done verified confirmed passed active published up": "good",
    "error failed refused unhealthy down crashed lost": "bad",
    "running starting preflight launching gating restarting stopping exporting": "busy",
    "publishing collecting draining open": "busy",
    "queued pending waiting planned new created draft paused": "waiting",
    "aborted cut cancelling disputed stale degraded": "warning",
    "cancelled revoked expired excluded stopped retired closed inactive": "off",
}
_BY_WORD = {word: meaning for words, meaning in _MEANING.items() for word in words.split()}


def status_look(status: str) -> tuple[Color, str]:
    """The badge colour and icon of a status word; grey for one that is not known."""
    return _LOOKS[_BY_WORD.get(status.lower(), "other")]
