"""What every labeling platform must keep: the same suite for the real Argilla and for the one in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from storage.types import new_id, now
from studio.errors import NotFound
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Item, LabelingBackend, Question, QuestionKind, TaskSpec, Teammate
from studio.label.tickets import access_token
from tests.fakes.argilla_process import running_argilla
from tests.fakes.labeling import FakePlatform

Draft = Callable[[str, str, str, dict[str, Any]], None]
QUESTIONS = (
    Question("verdict", "Right?", QuestionKind.LABEL, ("correct", "wrong")),
    Question("output", "Answer", QuestionKind.TEXT, required=False),
    Question("rating", "How good?", QuestionKind.RATING, required=False),
)
EVERY_KIND = (
    *QUESTIONS,
    Question("reasons", "Why?", QuestionKind.MULTI_LABEL, ("facts", "tone", "format"), required=False),
    Question("score", "0 to 10?", QuestionKind.RATING, required=False, ratings=tuple(range(11))),
    Question("parts", "Which parts?", QuestionKind.SPAN, ("PII", "claim"), required=False),
)
COMPARISON = (Question("order", "Which is better?", QuestionKind.RANKING, ("A", "B", "C")),)


@dataclass
class Tried:
    """A platform with what tests do to it behind its back."""

    backend: LabelingBackend
    draft: Draft
    discard: Draft
    delete: Callable[[str], None]
    queue: Callable[[str, str], set[str]]
    """Item keys that a person is asked for."""
    restart: Callable[[], None]


@pytest.fixture(params=["fake", pytest.param("argilla", marks=[pytest.mark.argilla, pytest.mark.slow])])
def tried(request: pytest.FixtureRequest) -> Tried:
    return in_memory() if request.param == "fake" else on_argilla()


@pytest.fixture
def platform(tried: Tried) -> tuple[LabelingBackend, Draft]:
    return tried.backend, tried.draft


def in_memory() -> Tried:
    fake = FakePlatform()

    def said(status: str) -> Draft:
        return lambda ref, who, key, values: fake.say(ref, who, key, status, values)

    return Tried(fake, said("draft"), said("discarded"), fake.delete, fake.queue, lambda: None)


def on_argilla() -> Tried:
    server = running_argilla()
    backend = server.backend

    def as_person(who: str) -> ArgillaRest:
        bearer = {"Authorization": f"Bearer {access_token(backend.shared_secret, who)}"}
        return ArgillaRest(backend.url, bearer, trust_env=False)

    def said(status: str) -> Draft:
        def say(ref: str, who: str, key: str, values: dict[str, Any]) -> None:
            record = next(each["id"] for each in backend.rest.records(ref) if each["external_id"] == key)
            given = {name: {"value": value} for name, value in values.items()}
            as_person(who).send("POST", f"/records/{record}/responses", {"values": given, "status": status})

        return say

    def queue(ref: str, who: str) -> set[str]:
        mine = as_person(who)
        found = mine.send("POST", f"/me/datasets/{ref}/records/search?limit=100", {})
        metrics = mine.get(f"/me/datasets/{ref}/metrics")["responses"]
        assert metrics["total"] == found["total"] == len(found["items"])
        return {each["record"]["external_id"] for each in found["items"]}

    def delete(ref: str) -> None:
        backend.rest.send("DELETE", f"/datasets/{ref}")

    def restart() -> None:
        server.kill()
        server.start()

    return Tried(backend, said("draft"), said("discarded"), delete, queue, restart)


def spec(key: str, *people: str) -> TaskSpec:
    return TaskSpec(key, "contract-tests", "Be fair.", QUESTIONS, 2, tuple(Teammate(name) for name in people))


def items(*keys: str) -> list[Item]:
    return [Item(key, [{"role": "user", "content": f"ticket {key}"}], f"answer {key}", {"output": key}) for key in keys]


def quiet(_sent: int) -> None:
    return None


def test_publishing_gives_every_item_an_id_and_tells_how_far_it_is(platform: tuple[LabelingBackend, Draft]) -> None:
    seen: list[int] = []
    published = platform[0].publish(spec(f"t-{new_id()}"), items("a", "b"), seen.append)
    assert set(published.records) == {"a", "b"} and all(published.records.values())
    assert seen[-1] == 2


def test_publishing_again_adds_only_what_is_missing(platform: tuple[LabelingBackend, Draft]) -> None:
    backend, task = platform[0], spec(f"t-{new_id()}")
    first = backend.publish(task, items("a"), quiet)
    again = backend.publish(task, items("a", "b"), quiet)
    assert again.ref == first.ref and again.records["a"] == first.records["a"] and set(again.records) == {"a", "b"}


def test_answers_come_back_with_who_when_and_what(platform: tuple[LabelingBackend, Draft]) -> None:
    backend, draft = platform
    before = now() - timedelta(seconds=5)
    ref = backend.publish(spec(f"t-{new_id()}", "mia", "noah"), items("a", "b"), quiet).ref
    backend.answer_as(ref, "mia", {"a": {"verdict": "wrong", "output": "better", "rating": 4}})
    draft(ref, "noah", "b", {"verdict": "correct"})
    found = {(each.item_key, each.annotator): each for each in backend.answers(ref)}
    assert found["a", "mia"].values == {"verdict": "wrong", "output": "better", "rating": 4}
    assert found["a", "mia"].status == "submitted" and found["b", "noah"].status == "draft"
    assert before < found["a", "mia"].updated_at <= now() + timedelta(seconds=5)
    assert len(found) == 2


def test_a_task_nobody_touched_gives_nothing_new(platform: tuple[LabelingBackend, Draft]) -> None:
    backend = platform[0]
    ref = backend.publish(spec(f"t-{new_id()}", "mia"), items("a"), quiet).ref
    backend.answer_as(ref, "mia", {"a": {"verdict": "correct"}})
    assert list(backend.answers(ref, since=now() + timedelta(hours=1))) == []
    assert len(list(backend.answers(ref, since=now() - timedelta(hours=1)))) == 1


def test_answering_twice_changes_the_answer(platform: tuple[LabelingBackend, Draft]) -> None:
    backend = platform[0]
    ref = backend.publish(spec(f"t-{new_id()}", "mia"), items("a"), quiet).ref
    backend.answer_as(ref, "mia", {"a": {"verdict": "correct"}})
    backend.answer_as(ref, "mia", {"a": {"verdict": "wrong"}})
    assert [each.values["verdict"] for each in backend.answers(ref)] == ["wrong"]


def test_new_guidelines_keep_the_answers_and_may_be_repeated(platform: tuple[LabelingBackend, Draft]) -> None:
    backend = platform[0]
    ref = backend.publish(spec(f"t-{new_id()}", "mia"), items("a"), quiet).ref
    backend.answer_as(ref, "mia", {"a": {"verdict": "correct"}})
    backend.set_guidelines(ref, "Closed.")
    backend.set_guidelines(ref, "Closed.")
    assert len(list(backend.answers(ref))) == 1


def test_an_unknown_task_is_not_found(platform: tuple[LabelingBackend, Draft]) -> None:
    with pytest.raises(NotFound):
        list(platform[0].answers("00000000-0000-0000-0000-000000000000"))


def test_a_person_gets_an_address_and_the_platform_is_healthy(platform: tuple[LabelingBackend, Draft]) -> None:
    backend = platform[0]
    ref = backend.publish(spec(f"t-{new_id()}"), items("a"), quiet).ref
    assert ref in backend.enter_url(Teammate("zoe"), "contract-tests", ref)
    assert backend.health().ok


def test_every_kind_of_question_comes_back_as_it_was_answered(tried: Tried) -> None:
    text = "Call Zoë 😀 at 555 <now> & \r\n<b>bold</b>"
    at = text.index("555")
    given = {
        "verdict": "wrong",
        "output": "<b>better</b> & safer",
        "rating": 4,
        "reasons": ["tone", "facts"],
        "score": 0,
        "parts": [
            {"start": at, "end": at + 3, "label": "PII"},
            {"start": text.index("<b>"), "end": len(text), "label": "claim"},
        ],
    }
    task = replace(spec(f"t-{new_id()}", "mia"), questions=EVERY_KIND)
    item = Item(
        "a",
        [{"role": "user", "content": "hello"}],
        text,
        given,
        suggested_by="our model, v2 (beta)",
        scores={"verdict": 0.7, "rating": 1.0},
        facts={"split": "golden", "chosen because": "low, feedback"},
    )
    ref = tried.backend.publish(task, [item], quiet).ref
    tried.backend.answer_as(ref, "mia", {"a": given})
    [answer] = tried.backend.answers(ref)
    assert answer.values == given
    assert answer.inserted_at is not None and answer.inserted_at <= answer.updated_at


def test_a_ranking_of_several_answers_keeps_its_ties(tried: Tried) -> None:
    task = replace(spec(f"t-{new_id()}", "mia"), questions=COMPARISON, answers_shown=("A", "B", "C"))
    shown = {"A": "short", "B": "long", "C": "<img src=x>"}
    ref = tried.backend.publish(task, [Item("a", [{"role": "user", "content": "?"}], "", answers=shown)], quiet).ref
    ranks = [{"value": "A", "rank": 2}, {"value": "B", "rank": 2}, {"value": "C", "rank": 1}]
    tried.backend.answer_as(ref, "mia", {"a": {"order": ranks}})
    [answer] = tried.backend.answers(ref)
    assert sorted(answer.values["order"], key=lambda each: each["value"]) == ranks


def test_people_see_what_they_are_asked_for_and_what_is_anybodys(tried: Tried) -> None:
    [a, b, c] = items("a", "b", "c")
    asked = [replace(a, asked=("mia",)), replace(b, asked=("noah", "mia")), c]
    ref = tried.backend.publish(spec(f"t-{new_id()}", "mia", "noah", "zoe"), asked, quiet).ref
    assert tried.queue(ref, "mia") == {"a", "b", "c"}
    assert tried.queue(ref, "noah") == {"b", "c"} and tried.queue(ref, "zoe") == {"c"}


def test_drafts_and_discards_are_told_apart_and_two_people_answer_one_item(tried: Tried) -> None:
    ref = tried.backend.publish(spec(f"t-{new_id()}", "mia", "noah", "zoe"), items("a"), quiet).ref
    tried.backend.answer_as(ref, "mia", {"a": {"verdict": "correct"}})
    tried.draft(ref, "noah", "a", {"output": "not yet"})
    tried.discard(ref, "zoe", "a", {})
    found = {each.annotator: each for each in tried.backend.answers(ref)}
    assert {name: each.status for name, each in found.items()} == {
        "mia": "submitted",
        "noah": "draft",
        "zoe": "discarded",
    }
    assert found["noah"].values == {"output": "not yet"} and found["zoe"].values == {}


def test_a_task_that_somebody_deleted_is_not_found_and_says_what_to_do(tried: Tried) -> None:
    ref = tried.backend.publish(spec(f"t-{new_id()}", "mia"), items("a"), quiet).ref
    tried.delete(ref)
    with pytest.raises(NotFound, match="deleted"):
        list(tried.backend.answers(ref, since=now()))
    with pytest.raises(NotFound, match="deleted"):
        tried.backend.set_guidelines(ref, "new")


def test_an_interrupted_publication_goes_on_after_a_restart(tried: Tried) -> None:
    task, everything = spec(f"t-{new_id()}", "mia"), items(*(f"i{number}" for number in range(120)))

    def leave(sent: int) -> None:
        if sent >= 40:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        tried.backend.publish(task, everything, leave)
    tried.restart()
    seen: list[int] = []
    published = tried.backend.publish(task, everything, seen.append)
    assert len(published.records) == len(set(published.records.values())) == 120
    assert seen[0] > 40 and seen[-1] == 120, "what was there was not sent again"
    tried.backend.answer_as(published.ref, "mia", {"i0": {"verdict": "correct"}, "i119": {"verdict": "wrong"}})
    assert {each.item_key for each in tried.backend.answers(published.ref)} == {"i0", "i119"}
