"""What every labeling platform must keep: the same suite for the real Argilla and for the one in memory."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture(params=["fake", pytest.param("argilla", marks=[pytest.mark.argilla, pytest.mark.slow])])
def platform(request: pytest.FixtureRequest) -> tuple[LabelingBackend, Draft]:
    if request.param == "fake":
        fake = FakePlatform()
        return fake, lambda ref, who, key, values: fake.say(ref, who, key, "draft", values)
    backend = running_argilla().backend

    def draft(ref: str, who: str, key: str, values: dict[str, Any]) -> None:
        bearer = {"Authorization": f"Bearer {access_token(backend.shared_secret, who)}"}
        record = next(each["id"] for each in backend.rest.records(ref) if each["external_id"] == key)
        given = {name: {"value": value} for name, value in values.items()}
        ArgillaRest(backend.url, bearer, trust_env=False).send(
            "POST", f"/records/{record}/responses", {"values": given, "status": "draft"}
        )

    return backend, draft


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
