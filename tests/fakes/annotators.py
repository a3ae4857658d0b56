"""People who answer in Argilla through its REST API, as its web page does: ask for the queue, submit, go on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from studio.errors import StudioError
from studio.label.argilla_rest import ArgillaRest, Unreachable
from studio.label.backend import Item
from studio.label.tickets import access_token
from tests.fakes.argilla_process import ArgillaProcess

PENDING = {
    "filters": {
        "type": "and",
        "and": [{"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]}],
    }
}


@dataclass
class Crowd:
    """What several people did at once."""

    kept: dict[tuple[str, str], int] = field(default_factory=dict)
    """(item key, person) → the value whose submission was acknowledged."""
    failed: list[str] = field(default_factory=list)
    cut_off: int = 0
    """Requests that met a server that was down."""
    queue_s: list[float] = field(default_factory=list)
    submit_s: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, server: ArgillaProcess, ref: str, names: Sequence[str]) -> list[threading.Thread]:
        """A thread per person."""
        threads = [threading.Thread(target=self._work, args=(server, ref, name), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, server: ArgillaProcess, ref: str, name: str) -> None:
        rest, chance = person(server, name), random.Random(name)
        while not self.stop.is_set():
            try:
                self._answer_one(rest, ref, name, chance)
            except Unreachable:
                self.cut_off += 1
                self.stop.wait(0.2)
            except StudioError as error:
                self.failed.append(error.message)
            self.stop.wait(chance.uniform(0.05, 0.3))

    def _answer_one(self, rest: ArgillaRest, ref: str, name: str, chance: random.Random) -> None:
        started = time.monotonic()
        found = rest.send("POST", f"/me/datasets/{ref}/records/search?limit=10&include=responses", PENDING)["items"]
        asked = time.monotonic()
        if not found:
            return
        record, rating = chance.choice(found)["record"], chance.randint(1, 5)
        body = {"values": {"rating": {"value": rating}}, "status": "submitted"}
        rest.send("POST", f"/records/{record['id']}/responses", body)
        with self.lock:
            self.kept[record["external_id"], name] = rating
            self.queue_s.append(asked - started)
            self.submit_s.append(time.monotonic() - asked)


def person(server: ArgillaProcess, name: str) -> ArgillaRest:
    """Argilla's API in a person's name."""
    bearer = {"Authorization": f"Bearer {access_token(server.backend.shared_secret, name, 3600)}"}
    made = ArgillaRest(server.url, bearer, trust_env=False)
    made.client.timeout = httpx.Timeout(30, connect=2)
    return made


def sample_items(count: int, start: int = 0, *, rich: bool = False) -> list[Item]:
    """Support tickets; rich ones with suggestions, facts and who is asked."""
    return [_item(number, rich) for number in range(start, start + count)]


def _item(number: int, rich: bool) -> Item:
    words = " ".join(f"word{(number * 31 + at) % 997}" for at in range(60))
    messages = [{"role": "user", "content": f"ticket number{number} {words}"}]
    if not rich:
        return Item(f"k{number}", messages, f"answer {number}")
    extra: dict[str, Any] = {
        "suggestions": {"rating": 1 + number % 5, "verdict": "correct", "output": f"answer {number}"},
        "suggested_by": "teacher",
        "scores": {"rating": (number % 100) / 100, "verdict": 0.5},
        "facts": {"split": "golden" if number % 3 else "train", "why": "lowest feedback"},
        "asked": ("p0", "p1") if number % 2 else ("p2",),
    }
    return Item(f"k{number}", [{"role": "system", "content": "Triage."}, *messages], f"answer {number}", **extra)
