"""Callers that go on calling an alias, each with a name of its own, and remember every answer and every failure."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from studio.deploy.router import position

ROUTE = "x-whetstone-route"
PATIENCE_S = 60


@dataclass(frozen=True)
class Told:
    """One call as its caller saw it."""

    user: str
    started: float
    ended: float
    route: str
    """Who answered; empty when nobody did."""
    stream: bool
    trouble: str = ""
    """refused (no connection, or closed before an answer), cut (a stream without its end), or status and body."""


@dataclass
class Callers:
    """One thread per user; every second call of each is a stream."""

    url: str
    secret: str
    alias: str
    users: Sequence[str]
    patience_s: float = PATIENCE_S
    body: dict[str, object] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def __enter__(self) -> Callers:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(user,)) for user in self.users]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End after the calls under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answers(self, since: float = 0.0, users: Sequence[str] = ()) -> list[Told]:
        """What was answered to calls that began at this moment or later."""
        return [
            told
            for told in list(self.told)
            if not told.trouble and told.started >= since and (not users or told.user in users)
        ]

    def troubles(self) -> list[Told]:
        """Every call without a whole answer."""
        return [told for told in list(self.told) if told.trouble]

    def by_route(self) -> Counter[str]:
        """Answers by who gave them."""
        return Counter(told.route for told in self.answers())

    def until(self, seen: Callable[[], bool], what: str) -> float:
        """Wait until it is seen, and say when that was."""
        deadline = time.monotonic() + self.patience_s
        while not seen():
            assert time.monotonic() < deadline, f"{what}: {self.by_route()} {self.troubles()[-3:]}"
            time.sleep(0.02)
        return time.monotonic()

    def until_answered_by(self, route: str, user: str) -> float:
        """Wait until this user is answered by this route; the moment from which on it is so."""
        begun = time.monotonic()
        self.until(
            lambda: any(told.route == route for told in self.answers(begun, [user])), f"{user} answered by {route}"
        )
        return max(told.started for told in self.answers(begun, [user]) if told.route == route)

    def until_answers(self, count: int, users: Sequence[str] = ()) -> float:
        """Wait for this many answers to calls that begin now or later; the moment at which they began to count."""
        begun = time.monotonic()
        self.until(lambda: len(self.answers(begun, users)) >= count, f"{count} answers")
        return begun

    def _go_on(self, user: str) -> None:
        with httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.secret}"}, timeout=60) as web:
            number = 0
            while not self._stop.is_set():
                number += 1
                told = self._call(web, user, stream=number % 2 == 0)
                self.told.append(told)
                if told.trouble == "refused":
                    time.sleep(0.05)  # as clients do

    def _call(self, web: httpx.Client, user: str, stream: bool) -> Told:
        body = {"model": self.alias, "messages": [{"role": "user", "content": "Hello"}], "user": user, **self.body}
        started, route, answered = time.monotonic(), "", False
        try:
            with web.stream("POST", "/v1/chat/completions", json={**body, "stream": stream}) as answer:
                route, answered = answer.headers.get(ROUTE, ""), True
                text = answer.read().decode()
            trouble = "" if answer.status_code == 200 else f"{answer.status_code} {text[:300]}"
            if not trouble and stream and "data: [DONE]" not in text:
                trouble = "cut"
        except httpx.TransportError as error:
            trouble = f"cut by the gateway: {error!r}" if answered else "refused"
        return Told(user, started, time.monotonic(), route, stream, trouble)


def users_at(*places: float) -> list[str]:
    """One user for each place on [0, 1), at it or just behind."""
    names = [f"user-{number}" for number in range(400)]
    return [min((name for name in names if position(name) >= place), key=position) for place in places]
