"""Scrub: cleans the texts of one record, and counts what it took out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from studio.capture.privacy import keys
from studio.capture.privacy.patterns import Withheld
from studio.capture.privacy.redactor import Redactor
from studio.capture.privacy.rules import Found, Rules, joined
from studio.capture.privacy.trees import TAGS, clean_tree

Seal = Callable[[str], str]

SHORTEST = 5
"""No key and no personal data that can be told by form is shorter; own patterns are tried on every text."""
MOST_NESTED = 4
ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
DATA_URL = re.compile(r"data:[\w/.+-]{0,80}(?:;[\w=-]{1,40}){0,4};base64,[A-Za-z0-9+/]{16,}+={0,2}+(?![\w@.-])", re.A)
BASE64 = re.compile(r"[A-Za-z0-9+/\s]{256,}+={0,2}", re.A)
WITHHELD = "[withheld: the pattern {} took too long]"
PLAIN = frozenset({
    "model", "role", "type", "object", "finish_reason", "stop_reason", "native_finish_reason", "event", "status",
    "service_tier", "system_fingerprint", "encoding_format", "media_type", "quality", "detail", "format", "created",
    "created_at", "timestamp",
})  # fmt: skip
"""Fields that hold a word of the protocol: searched for keys only."""

IDS = frozenset({"id", "user", "safety_identifier", "prompt_cache_key", TAGS})
"""Fields that calls are found by, as are those that end in `_id`."""


class Scrub:
    """One record's cleaning. `seal` is given when an admin may read again what was taken out."""

    def __init__(self, redactor: Redactor, project_id: str, rules: Rules | None, seal: Seal | None) -> None:
        self.counts: Counter[str] = Counter()
        self.pseudonyms: dict[str, dict[str, str]] = {}
        self._redactor = redactor
        self._project_id = project_id
        self._rules = rules
        self._shortest = 1 if rules and rules.patterns else SHORTEST
        self._seal = seal

    def text(self, text: str, named: bool = False, depth: int = 0, plain: bool = False) -> str:
        """The text without what must not be written; the very same object where there is nothing.

        `named` is for what calls are found by (tags, ids of users and sessions): equal values stay equal.
        """
        if len(text) < self._shortest:
            return text
        if depth < MOST_NESTED and text[0] in '{["' and text[-1] in '}]"' and (nested := self._json(text, depth)):
            return nested
        if "\\u00" in text and (bare := _unescaped(text)) != text and self._find(bare, plain):
            text = bare
        found = self._find(text, plain)
        return self._replaced(text, found, named) if found else text

    def number(self, number: int) -> int | str:
        """A payment card may come as a number."""
        told = str(number)
        cleaned = self.text(told) if self._rules else told
        return number if cleaned is told else cleaned

    def field(self, name: str, text: str, depth: int = 0) -> str:
        """The text of a JSON field."""
        named = name in IDS or name.endswith("_id")
        return self.text(text, named, depth, name in PLAIN)

    def _find(self, text: str, plain: bool) -> list[Found]:
        found: list[Found] = []
        if keys.suspicious(text.encode("utf-8", "surrogatepass")):
            found += [(start, end, "key") for start, end in keys.find(text)]
        if self._rules and not plain and not (len(text) > 256 and BASE64.fullmatch(text)):
            try:
                found += self._rules.find(text)
            except Withheld as error:
                return [(0, len(text), f"withheld:{error.name}")]
        if found and "base64," in text:
            files = [match.span() for match in DATA_URL.finditer(text)]
            found = [each for each in found if not any(each[0] >= start and each[1] <= end for start, end in files)]
        return joined(found)

    def _replaced(self, text: str, found: list[Found], named: bool) -> str:
        parts, at = [], 0
        for start, end, kind in found:
            parts += [text[at:start], self._mark(text[start:end], kind, named)]
            at = end
        return "".join((*parts, text[at:]))

    def _mark(self, value: str, kind: str, named: bool) -> str:
        if kind.startswith("withheld:"):
            self.counts["withheld"] += 1
            return WITHHELD.format(kind.removeprefix("withheld:"))
        self.counts[kind] += 1
        if kind == "key":
            return self._redactor.mark(value.encode("utf-8", "surrogatepass")).decode()
        if not named and self._seal is None:
            return f"[{kind}]"
        token = self._redactor.token(self._project_id, kind, value)
        if self._seal is not None and token not in self.pseudonyms:
            self.pseudonyms[token] = {"kind": kind, "sealed": self._seal(value)}
        return f"[{token}]"

    def _json(self, text: str, depth: int) -> str | None:
        """A text that is JSON itself (the arguments of a tool call), cleaned inside; None if it is none."""
        try:
            value: Any = orjson.loads(text)
        except ValueError:
            return None
        before = self.counts.total()
        value = clean_tree(value, self, depth + 1)
        return text if self.counts.total() == before else orjson.dumps(value).decode()


def _unescaped(text: str) -> str:
    """The text with the escapes of plain characters undone, those of quotes and backslashes left."""
    return ESCAPED.sub(lambda match: match[0] if match[1].lower() in ("22", "5c") else chr(int(match[1], 16)), text)
