"""Tokens become text piece by piece; stop strings are found, and held back where the caller must not see them."""

from __future__ import annotations

from collections.abc import Callable

REPLACEMENT = "\ufffd"


class TextBuilder:
    """Decodes only a short window of tokens each time, and waits for the rest of a half-finished character."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._from = 0
        self._shown = 0
        self.text = ""

    def add(self, token: int, last: bool = False) -> str:
        """The text this token adds; empty while a character is incomplete."""
        self._ids.append(token)
        before = self._decode(self._ids[self._from : self._shown])
        whole = self._decode(self._ids[self._from :])
        if len(whole) <= len(before) or (whole.endswith(REPLACEMENT) and not last):
            return ""
        self._from, self._shown = self._shown, len(self._ids)
        piece = whole[len(before) :]
        self.text += piece
        return piece


class StopFilter:
    """OpenAI's rule: the answer ends before the stop string, which is never sent, not even its first letters."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._longest = max(map(len, stops), default=0)
        self._sent = 0

    def release(self, text: str, last: bool) -> str:
        """The part of the whole text so far that may be sent now and was not before."""
        end = self._end(text) if self._stops else len(text)
        if not last and end == len(text):
            end = len(text) - self._held(text)
        piece = text[self._sent : end]
        self._sent = max(self._sent, end)
        return piece

    def _end(self, text: str) -> int:
        """As `cut`, but what was sent long ago is not searched again."""
        start = max(0, self._sent - self._longest)
        return start + cut(text[start:], self._stops)

    def _held(self, text: str) -> int:
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0


def cut(text: str, stops: tuple[str, ...]) -> int:
    """Where the first stop string begins; the length of the text if there is none."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))
