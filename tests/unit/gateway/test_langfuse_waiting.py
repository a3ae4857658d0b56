"""What is known of generations that are not over: kept for a while, and never more than fits."""

from __future__ import annotations

import pytest

from studio.gateway.intakes import langfuse
from studio.gateway.intakes.langfuse import Waiting


def test_what_is_known_grows_until_it_is_dropped() -> None:
    waiting = Waiting()
    waiting.put("p", "g", {"input": "a"})
    waiting.put("p", "g", {**waiting.get("p", "g"), "output": "b"})
    assert waiting.get("p", "g") == {"input": "a", "output": "b"} and waiting.get("other", "g") == {}
    waiting.drop("p", "g")
    assert waiting.get("p", "g") == {} and waiting._bytes == 0


def test_the_oldest_gives_way_when_there_are_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse, "MOST_BYTES", 1000)
    waiting = Waiting()
    for number in range(50):
        waiting.put("p", str(number), {"input": "x" * 100})
    assert waiting.get("p", "49") and not waiting.get("p", "0") and waiting._bytes <= 1000


def test_the_oldest_gives_way_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse, "MOST_WAITING", 3)
    waiting = Waiting()
    for number in range(5):
        waiting.put("p", str(number), {"n": number})
    assert [bool(waiting.get("p", str(number))) for number in range(5)] == [False, False, True, True, True]


def test_what_never_ends_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse, "WAIT_S", -1.0)
    waiting = Waiting()
    waiting.put("p", "g", {"input": "a"})
    assert waiting.get("p", "g") == {}
