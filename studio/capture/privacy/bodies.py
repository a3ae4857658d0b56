"""Bodies cleaned as they are: JSON stays JSON, a stream of events stays one, and what is cut across events is found."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import orjson

from studio.capture.privacy import keys
from studio.capture.privacy.scrub import Scrub
from studio.capture.privacy.trees import clean_tree

PIECES = frozenset({
    "content", "text", "arguments", "partial_json", "refusal", "reasoning", "reasoning_content", "reasoning_text",
    "thinking", "delta", "transcript", "summary", "input", "signature", "name",
})  # fmt: skip
"""Fields of a stream's events that hold a piece of a text."""
PIECE = re.compile(
    rb'"(?:content|text|arguments|partial_json|refusal|reasoning(?:_content|_text)?|thinking|delta|transcript|input)"'
    rb'\s*:\s*"((?:[^"\\]++|\\.)*+)"'
)
SEVERAL = re.compile(rb'"index"\s*:\s*[1-9]')
WHERE = ("type", "index", "output_index", "content_index", "summary_index", "item_id")
DATA = b"data:"
SHORT_LINE = 14
"""No line as short as `data: [DONE]` hides anything."""


def clean_body(body: bytes, scrub: Scrub) -> bytes:
    """A JSON body, or whatever came instead of one; the very same object where there is nothing to take out."""
    if not body:
        return body
    value = parsed(body)
    if value is None:
        return clean_raw(body, scrub)
    before = scrub.counts.total()
    value = clean_tree(value, scrub)
    if scrub.counts.total() == before:
        return body
    _forget_logprobs(value)
    return dumped(value)


def clean_raw(body: bytes, scrub: Scrub) -> bytes:
    """Bytes that are no JSON: cut off in the middle, or an error page."""
    text = body.decode("utf-8", "surrogateescape")
    cleaned = scrub.text(text.replace("\\/", "/") if "\\/" in text else text, depth=9)
    if cleaned is text or scrub.counts.total() == 0:
        return body
    return cleaned.encode("utf-8", "surrogateescape")


def clean_stream(body: bytes, scrub: Scrub) -> bytes:
    """The events of a stream; a text that they add up to is cleaned whole and put into its first event."""
    before = scrub.counts.total()
    lines = body.split(b"\n")
    events = {place: value for place, line in enumerate(lines) if (value := _event(line)) is not None}
    texts = _Texts(list(events.values()), scrub)
    texts.clean()
    for place, line in enumerate(lines):
        if place in events:
            clean_tree(events[place], scrub)
        elif len(line) > SHORT_LINE:
            lines[place] = clean_raw(line, scrub)
    texts.put_back()
    if scrub.counts.total() == before:
        return body
    for place, value in events.items():
        _forget_logprobs(value)
        lines[place] = b"data: " + dumped(value)
    return b"\n".join(lines)


def stream_is_suspicious(body: bytes) -> bool:
    """Whether a key may be in the stream, also one that is cut across its events."""
    return keys.suspicious(body) or bool(SEVERAL.search(body)) or keys.suspicious(b"".join(PIECE.findall(body)))


def parsed(body: bytes) -> Any:
    """The JSON object or list, or None."""
    try:
        value = orjson.loads(body)
    except ValueError:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict | list) else None


def dumped(value: Any) -> bytes:
    """The value as JSON, also with what only some JSON parsers take (lone surrogates, very large numbers)."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def _event(line: bytes) -> Any:
    return parsed(line[len(DATA) :]) if line.startswith(DATA) else None


class _Texts:
    """The texts that a stream's events add up to, by where their pieces stand."""

    def __init__(self, events: list[Any], scrub: Scrub) -> None:
        self._scrub = scrub
        self._slots: dict[tuple[Any, ...], list[tuple[dict[str, Any], str, str]]] = {}
        self._cleaned: dict[tuple[Any, ...], str] = {}
        for event in events:
            self._collect(event)

    def clean(self) -> None:
        """Clean each text whole. Its pieces are taken out of the events, so that nobody looks at them again."""
        self._cleaned = {
            slot: self._scrub.text("".join(each[2] for each in pieces)) for slot, pieces in self._slots.items()
        }
        for pieces in self._slots.values():
            for node, name, _ in pieces:
                node[name] = ""

    def put_back(self) -> None:
        """As they were, or the whole cleaned text in the first piece."""
        for slot, pieces in self._slots.items():
            cleaned = self._cleaned[slot]
            same = cleaned == "".join(each[2] for each in pieces)
            for number, (node, name, text) in enumerate(pieces):
                node[name] = text if same else cleaned if number == 0 else ""

    def _collect(self, event: Any) -> None:
        waiting: list[tuple[tuple[Any, ...], Any]] = [((), event)]
        seen: Counter[tuple[Any, ...]] = Counter()
        while waiting:
            where, node = waiting.pop()
            if isinstance(node, list):
                waiting += [(where, item) for item in node if isinstance(item, dict | list)]
                continue
            here = (*where, *((name, node[name]) for name in WHERE if isinstance(node.get(name), str | int)))
            for name, item in node.items():
                if isinstance(item, dict | list):
                    waiting.append(((*here, name), item))
                elif name in PIECES and isinstance(item, str) and item:
                    seen[(*here, name)] += 1
                    self._slots.setdefault((*here, name, seen[(*here, name)]), []).append((node, name, item))


def _forget_logprobs(value: Any) -> None:
    """Log probabilities spell the answer out token by token, so they go with what was taken out of it."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and node.get("logprobs"):
            node["logprobs"] = None
        waiting += [
            item for item in (node.values() if isinstance(node, dict) else node) if isinstance(item, dict | list)
        ]
