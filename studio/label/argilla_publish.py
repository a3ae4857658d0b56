"""Adding items to an Argilla dataset: chunks sized by the clock, so that nobody who is answering meanwhile waits."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from studio.label.argilla_dataset import (
    ANSWER,
    ASKED_OF,
    CONVERSATION,
    EVERYBODY,
    answer_field,
    ensure_property,
    marks_spans,
)
from studio.label.argilla_rest import ArgillaRest, Unreachable
from studio.label.argilla_suggestions import suggestions
from studio.label.argilla_text import escaped
from studio.label.backend import Item, TaskSpec

FIRST, SMALLEST, LARGEST = 40, 5, 150
CHUNK_SECONDS = 0.2
"""How long the server works on a chunk, about; it answers nobody else meanwhile."""
CHUNK_BYTES = 1_000_000
PATIENCE_S = 120.0
"""How long a server that went away may take to come back."""
MOST_MESSAGES = 500
NOT_IN_PROPERTY = re.compile(r"[^a-zA-Z0-9_-]+")
OnSent = Callable[[int], None]


class Pace:
    """How many records to send at once: as many as the server takes in the time a chunk may last."""

    def __init__(self) -> None:
        self.size = FIRST

    def learn(self, sent: int, seconds: float) -> None:
        """Adjust to how long a chunk took, to twice as many at most."""
        wanted = int(sent * CHUNK_SECONDS / max(seconds, 0.001))
        self.size = max(SMALLEST, min(wanted, self.size * 2, LARGEST))


class Publisher:
    """Sends the items of one task to its dataset; the `embedded` server's search engine knows who is asked."""

    def __init__(self, rest: ArgillaRest, ref: str, spec: TaskSpec, *, embedded: bool, longest_message: int) -> None:
        self.rest, self.ref, self.spec, self.embedded, self.longest = rest, ref, spec, embedded, longest_message
        ids = {each["name"]: str(each["id"]) for each in rest.get(f"/datasets/{ref}/questions")["items"]}
        self.questions = {each.name: (each, ids[each.name]) for each in spec.questions if each.name in ids}
        self.properties: set[str] = set()

    def add(self, items: Iterable[Item], on_sent: OnSent) -> dict[str, str]:
        """Add or overwrite the items, telling how many are sent so far; returns the records' ids by item key."""
        found: dict[str, str] = {}
        pace = Pace()
        for chunk in _chunks((self._record(item) for item in items), pace):
            started = time.monotonic()
            made = self._patiently(chunk, lambda: on_sent(len(found)))
            pace.learn(len(chunk), time.monotonic() - started)
            found.update((str(each["external_id"]), str(each["id"])) for each in made)
            on_sent(len(found))
        return found

    def _patiently(self, chunk: list[dict[str, Any]], still_here: Callable[[], None]) -> list[dict[str, Any]]:
        """Send a chunk; again for a while when the server is away, for sending twice is the same as once."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                done: list[dict[str, Any]] = self.rest.send(
                    "PUT", f"/datasets/{self.ref}/records/bulk", {"items": chunk}
                )["items"]
                return done
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
            still_here()
            time.sleep(1)

    def _record(self, item: Item) -> dict[str, Any]:
        return {
            "external_id": item.key,
            "fields": self._fields(item),
            "metadata": self._metadata(item),
            "suggestions": suggestions(item, self.questions),
        }

    def _fields(self, item: Item) -> dict[str, Any]:
        shown: dict[str, Any] = {CONVERSATION: [self._bubble(each) for each in _few(item.messages)]}
        for name in self.spec.answers_shown:
            if name in item.answers:
                shown[answer_field(name)] = [self._bubble({"role": "assistant", "content": item.answers[name]})]
        if not self.spec.answers_shown:
            bubble = self._bubble({"role": "assistant", "content": item.answer})
            shown[ANSWER] = escaped(item.answer or "(empty)") if marks_spans(self.spec) else [bubble]
        return shown

    def _bubble(self, message: dict[str, str]) -> dict[str, str]:
        text = escaped(message["content"] or "(empty)", self.longest)
        return {"role": message["role"][:20] or "user", "content": text}

    def _metadata(self, item: Item) -> dict[str, list[str]]:
        asked = list(item.asked) if self.embedded else [plain_name(each) for each in item.asked or (EVERYBODY,)]
        found = {NOT_IN_PROPERTY.sub("_", name): [value[:200]] for name, value in item.facts.items() if value}
        if asked:
            found[ASKED_OF] = asked
        for name in found.keys() - self.properties:
            ensure_property(self.rest, self.ref, name, shown=name == ASKED_OF and not self.embedded)
            self.properties.add(name)
        return found


def plain_name(username: str) -> str:
    """A username as it can stand in the address of a filtered queue, where a dot separates values."""
    return username.replace(".", "_").replace("~", "_")


def _few(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """No more messages than Argilla takes: the first and the latest."""
    if len(messages) <= MOST_MESSAGES:
        return messages
    note = {"role": "system", "content": f"… ({len(messages) - MOST_MESSAGES + 2} messages left out here)"}
    return [messages[0], note, *messages[2 - MOST_MESSAGES :]]


def _chunks(records: Iterable[dict[str, Any]], pace: Pace) -> Iterator[list[dict[str, Any]]]:
    """Lists of up to `pace.size` records and about a megabyte."""
    chunk: list[dict[str, Any]] = []
    weight = 0
    for record in records:
        heavy = len(json.dumps(record, ensure_ascii=False))
        if chunk and (len(chunk) >= pace.size or weight + heavy > CHUNK_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(record)
        weight += heavy
    if chunk:
        yield chunk
