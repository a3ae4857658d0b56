"""How items become records: chunks by clock and weight, patience with a server that is away, limits told early."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from studio.errors import Conflict, InvalidInput, Unavailable
from studio.label import argilla_dataset, argilla_publish
from studio.label.argilla_publish import CHUNK_BYTES, CHUNK_SECONDS, LARGEST, MOST_MESSAGES, SMALLEST, Pace, Publisher
from studio.label.argilla_rest import Unreachable
from studio.label.argilla_suggestions import fits
from studio.label.backend import Item, Question, QuestionKind, TaskSpec

LABEL = Question("verdict", "Right?", QuestionKind.LABEL, ("yes", "no"))


class Server:
    """Takes chunks; is away or refuses as often as it is told to."""

    def __init__(self) -> None:
        self.chunks: list[list[dict[str, Any]]] = []
        self.properties: list[dict[str, Any]] = []
        self.sent: list[tuple[str, Any]] = []
        self.away: list[Exception] = []

    def get(self, _path: str) -> Any:
        return {"items": [{"name": "verdict", "id": "q1"}]}

    def send(self, _method: str, path: str, body: Any = None) -> Any:
        if path.endswith("/metadata-properties"):
            if body["name"] in {each["name"] for each in self.properties}:
                raise Conflict("there already")
            self.properties.append(body)
            return body
        if not path.endswith("/records/bulk"):
            self.sent.append((path, body))
            return {"id": "d1"}
        if self.away:
            raise self.away.pop(0)
        self.chunks.append(body["items"])
        return {
            "items": [{"external_id": each["external_id"], "id": f"r-{each['external_id']}"} for each in body["items"]]
        }


def publisher(server: Server, *, embedded: bool = True, **facts: Any) -> Publisher:
    spec = TaskSpec("t", "w", "", (LABEL,), 1, **facts)
    return Publisher(server, "d1", spec, embedded=embedded, longest_message=1_000_000)  # type: ignore[arg-type]


def items(count: int, text: str = "x", **facts: Any) -> Iterator[Item]:
    return (Item(f"k{at}", [{"role": "user", "content": text}], "a", **facts) for at in range(count))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argilla_publish.time, "sleep", lambda _seconds: None)


def test_every_item_arrives_once_and_progress_follows_each_chunk() -> None:
    server, seen = Server(), []
    found = publisher(server).add(items(1000), seen.append)
    assert len(found) == 1000 == sum(map(len, server.chunks)) and found["k7"] == "r-k7"
    assert seen == list(itertools.accumulate(map(len, server.chunks))) and max(map(len, server.chunks)) <= LARGEST


def test_items_are_taken_as_they_are_sent() -> None:
    server, taken = Server(), []

    def told() -> Iterator[Item]:
        for item in items(500):
            taken.append(item.key)
            yield item

    def leave(sent: int) -> None:
        raise InterruptedError(sent)

    with pytest.raises(InterruptedError):
        publisher(server).add(told(), leave)
    assert len(taken) < 100, "a cancelled publication stops after the chunk it is at"


def test_the_size_of_a_chunk_follows_the_clock() -> None:
    pace = Pace()
    for _chunk in range(9):
        pace.learn(pace.size, 0.0)
    assert pace.size == LARGEST
    pace.learn(LARGEST, 10 * CHUNK_SECONDS)
    assert pace.size == LARGEST // 10
    pace.learn(pace.size, 1000.0)
    assert pace.size == SMALLEST


def test_long_texts_travel_in_small_chunks() -> None:
    server = Server()
    publisher(server).add(items(30, "long " * 20_000), lambda _sent: None)
    assert max(map(len, server.chunks)) <= CHUNK_BYTES // 100_000 and sum(map(len, server.chunks)) == 30


def test_a_server_that_comes_back_gets_the_chunk_again() -> None:
    server, seen = Server(), []
    server.away = [Unreachable("down"), Unreachable("down")]
    assert len(publisher(server).add(items(3), seen.append)) == 3
    assert seen == [0, 0, 3], "progress is told while waiting, so that a cancel is heard"


def test_a_server_that_stays_away_or_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=30.0)
    monkeypatch.setattr(argilla_publish.time, "monotonic", lambda: next(clock))
    server = Server()
    server.away = [Unreachable("down")] * 100
    with pytest.raises(Unavailable, match="down"):
        publisher(server).add(items(1), lambda _sent: None)
    assert len(server.away) > 90
    server.away = [Unavailable("wrong key")]
    with pytest.raises(Unavailable, match="wrong key"):
        publisher(server).add(items(1), lambda _sent: None)


def test_a_suggestion_says_who_made_it_and_how_sure_it_was() -> None:
    server = Server()
    facts = {"suggestions": {"verdict": "yes", "gone": 1}, "suggested_by": "model, v2 (β)", "scores": {"verdict": 1.2}}
    publisher(server).add(items(1, **facts), lambda _sent: None)
    [suggestion] = server.chunks[0][0]["suggestions"]
    assert suggestion == {"question_id": "q1", "value": "yes", "type": "model", "agent": "model- v2", "score": 1.0}


SPAN = [{"start": 0, "end": 2, "label": "a"}]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (QuestionKind.LABEL, "a", "z"),
        (QuestionKind.TEXT, "", None),
        (QuestionKind.RATING, 5, 5.0),
        (QuestionKind.RATING, 1, 9),
        (QuestionKind.MULTI_LABEL, ["b", "a"], []),
        (QuestionKind.MULTI_LABEL, ["a"], ["a", "a"]),
        (QuestionKind.RANKING, [{"value": "a", "rank": 1}], [{"value": "z", "rank": 1}]),
        (QuestionKind.SPAN, SPAN, [{**SPAN[0], "end": 99}]),
        (QuestionKind.SPAN, SPAN, [{**SPAN[0], "label": "z"}]),
        (QuestionKind.SPAN, SPAN, "ab"),
    ],
)
def test_a_suggestion_argilla_would_refuse_is_left_out_of_the_record(kind: QuestionKind, good: Any, bad: Any) -> None:
    question = Question("q", "?", kind, ("a", "b"))
    assert fits(question, good, "abc") and not fits(question, bad, "abc")


def test_who_is_asked_and_what_may_be_filtered_by_are_metadata() -> None:
    server, external = Server(), Server()
    facts = {"asked": ("a.b", "c"), "facts": {"why chosen": "low", "empty": ""}}
    publisher(server).add(items(2, **facts), lambda _sent: None)
    assert server.chunks[0][1]["metadata"] == {"why_chosen": ["low"], "asked_of": ["a.b", "c"]}
    assert {each["name"]: each["visible_for_annotators"] for each in server.properties} == {
        "why_chosen": False,
        "asked_of": False,
    }
    publisher(external, embedded=False).add(items(1, **facts), lambda _sent: None)
    publisher(external, embedded=False).add(items(1), lambda _sent: None)
    assert [each[0]["metadata"]["asked_of"] for each in external.chunks] == [["a_b", "c"], ["everybody"]]
    assert [each["name"] for each in external.properties if each["visible_for_annotators"]] == ["asked_of"]


def test_several_answers_are_shown_side_by_side_without_names_of_models() -> None:
    server = Server()
    item = Item("k", [{"role": "user", "content": "?"}], "", answers={"A": "<one>", "B": ""})
    publisher(server, answers_shown=("A", "B", "C")).add([item], lambda _sent: None)
    fields = server.chunks[0][0]["fields"]
    assert set(fields) == {"conversation", "answer_a", "answer_b"}
    assert [fields[name][0]["content"] for name in ("answer_a", "answer_b")] == ["&lt;one&gt;", "(empty)"]


def test_a_conversation_of_a_thousand_messages_keeps_its_beginning_and_end() -> None:
    server = Server()
    messages = [{"role": "user", "content": str(at)} for at in range(1000)]
    publisher(server).add([Item("k", messages, "a")], lambda _sent: None)
    shown = server.chunks[0][0]["fields"]["conversation"]
    assert len(shown) == MOST_MESSAGES and shown[0]["content"] == "0" and shown[-1]["content"] == "999"
    assert shown[1]["content"] == "… (502 messages left out here)"


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        (Question("q", "Which?", QuestionKind.LABEL, ("one",)), "at least 2"),
        (Question("q", "Which?", QuestionKind.SPAN, ()), "at least 1"),
        (Question("q", "Which?", QuestionKind.RANKING, ("A", "A")), "twice"),
        (Question("q", "Which?", QuestionKind.MULTI_LABEL, ("a", "b" * 201)), "200"),
        (Question("q", "Which?", QuestionKind.RATING, ratings=(1, 11)), "between 0 and 10"),
        (Question("q", "Which?", QuestionKind.RATING, ratings=(1,)), "2 to 11"),
    ],
)
def test_a_question_argilla_cannot_ask_is_refused_before_anything_is_made(question: Question, rule: str) -> None:
    server = Server()
    with pytest.raises(InvalidInput, match=rule):
        argilla_dataset.create(server, "w", TaskSpec("t", "w", "", (question,), 1))  # type: ignore[arg-type]
    assert server.sent == []


def test_guidelines_are_as_long_as_argilla_takes() -> None:
    assert argilla_dataset.guidelines("") is None and argilla_dataset.guidelines("Be fair.") == "Be fair."
    cut = argilla_dataset.guidelines("long " * 5000)
    assert cut is not None and len(cut) == 10_000 and cut.endswith("characters)")
