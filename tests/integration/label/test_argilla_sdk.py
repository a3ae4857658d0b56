"""Teams script against Argilla with its own SDK: what the studio sent and people answered reads there as well."""

from __future__ import annotations

import argilla as rg
import pytest

from storage.types import new_id
from studio.label.backend import Item, Question, QuestionKind, TaskSpec, Teammate
from tests.fakes.argilla_process import running_argilla

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
QUESTIONS = (
    Question("verdict", "Right?", QuestionKind.LABEL, ("correct", "wrong")),
    Question("rating", "How good?", QuestionKind.RATING, required=False),
)


def test_the_sdk_opens_a_task_of_the_studio_with_its_records_suggestions_and_answers() -> None:
    backend = running_argilla().backend
    spec = TaskSpec(f"sdk-{new_id()}", "sdk-tests", "Be fair.", QUESTIONS, 1, (Teammate("mia"),))
    item = Item("a", [{"role": "user", "content": "ticket <b>a</b>"}], "an answer", {"verdict": "correct"})
    ref = backend.publish(spec, [item], lambda _sent: None).ref
    backend.answer_as(ref, "mia", {"a": {"verdict": "wrong", "rating": 2}})

    client = rg.Argilla(api_url=backend.url, api_key=backend.api_key, trust_env=False)
    dataset = client.datasets(id=ref).get()
    [record] = list(dataset.records(with_suggestions=True, with_responses=True))
    assert dataset.settings.guidelines == "Be fair."
    assert record.id == "a" and record.suggestions["verdict"].value == "correct"
    assert [each.value for each in record.responses["verdict"]] == ["wrong"]
    assert [each.value for each in record.responses["rating"]] == [2]
