"""A labeling platform in memory that keeps the port's promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from storage.types import now
from studio.errors import NotFound
from studio.label.backend import Answer, Health, Item, Published, TaskSpec, Teammate


class FakePlatform:
    """Tasks by key, answers by (task, item, person)."""

    def __init__(self) -> None:
        self.specs: dict[str, TaskSpec] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.given: dict[str, dict[tuple[str, str], Answer]] = {}
        self.guidelines: dict[str, str] = {}
        self.touched: dict[str, datetime] = {}
        self.breaks_after: int | None = None

    def publish(self, spec: TaskSpec, items: Iterable[Item], on_sent: Callable[[int], None]) -> Published:
        self.specs[spec.key] = spec
        there = self.items.setdefault(spec.key, {})
        self.given.setdefault(spec.key, {})
        for item in items:
            if self.breaks_after is not None and len(there) >= self.breaks_after:
                raise ConnectionError("the platform went away")
            if item.key not in there:
                there[item.key] = item
                on_sent(len(there))
        return Published(spec.key, {key: f"record-{key}" for key in there})

    def answers(self, ref: str, since: datetime | None = None) -> Iterator[Answer]:
        if ref not in self.items:
            raise NotFound("Somebody deleted this task.")
        if since is None or self.touched.get(ref, now()) >= since:
            yield from self.given[ref].values()

    def forget(self, ref: str, record_ids: list[str]) -> int:
        if ref not in self.items:
            raise NotFound("Somebody deleted this task.")
        for record_id in record_ids:
            key = record_id.removeprefix("record-")
            self.items[ref].pop(key, None)
            self.given[ref] = {each: answer for each, answer in self.given[ref].items() if each[0] != key}
        return len(record_ids)

    def set_guidelines(self, ref: str, text: str) -> None:
        if ref not in self.items:
            raise NotFound("Somebody deleted this task.")
        self.guidelines[ref] = text

    def enter_url(self, teammate: Teammate, workspace: str, ref: str) -> str:
        return f"http://fake/{workspace}/{ref}?as={teammate.username}"

    def answer_as(self, ref: str, username: str, answers: Mapping[str, dict[str, Any]]) -> int:
        for key, values in answers.items():
            self.say(ref, username, key, "submitted", values)
        return len(answers)

    def health(self) -> Health:
        return Health(True, "fake")

    def say(self, ref: str, username: str, key: str, status: str, values: dict[str, Any]) -> None:
        before = self.given[ref].get((key, username))
        first = before.inserted_at if before else now()
        self.given[ref][key, username] = Answer(key, username, status, values, now(), first)
        self.touched[ref] = now()

    def delete(self, ref: str) -> None:
        """Somebody deletes the task on the platform itself."""
        del self.items[ref], self.given[ref]

    def queue(self, ref: str, username: str) -> set[str]:
        """Keys of the items a person is asked for."""
        return {key for key, item in self.items[ref].items() if username in item.asked or not item.asked}
