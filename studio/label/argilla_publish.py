"""Making a dataset and its records in Argilla with its SDK. Imported only where a task is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from itertools import islice
from typing import Any

import argilla as rg
import httpx
from argilla._exceptions import ArgillaError

from studio.errors import InvalidInput, StudioError, Unavailable
from studio.label.argilla_rest import unreachable
from studio.label.backend import Item, Question, QuestionKind, TaskSpec

BATCH = 250
RATINGS = [1, 2, 3, 4, 5]
CUT = "\n… (cut: too long for the labeling platform)"


class Publisher:
    """A connection of the SDK with the owner's key."""

    def __init__(self, url: str, api_key: str, *, longest_message: int, trust_env: bool) -> None:
        self.url, self.longest = url, longest_message
        with _mapped_errors(url):
            self.client = rg.Argilla(api_url=url, api_key=api_key, timeout=120, trust_env=trust_env)

    def create(self, spec: TaskSpec) -> str:
        """Make and open the dataset; returns its id."""
        settings = rg.Settings(
            guidelines=spec.guidelines or None,
            fields=[
                rg.ChatField("conversation", title="Conversation", use_markdown=False),
                rg.ChatField("answer", title="The model's answer", use_markdown=False),
            ],
            questions=[_question(each) for each in spec.questions],
            distribution=rg.TaskDistribution(min_submitted=spec.answers_per_item),
        )
        with _mapped_errors(self.url):
            workspace = self.client.workspaces(spec.workspace)
            made = rg.Dataset(spec.key, workspace=workspace, settings=settings, client=self.client).create()
        return str(made.id)

    def add(self, ref: str, items: Iterable[Item], on_sent: Callable[[int], None]) -> None:
        """Add the items, a batch per request, telling how many are sent so far."""
        sent = 0
        with _mapped_errors(self.url):
            dataset = self.client.datasets(id=ref).get()
        for batch in _batches(items):
            with _mapped_errors(self.url):
                dataset.records.log([self._record(item) for item in batch], batch_size=len(batch))
            sent += len(batch)
            on_sent(sent)

    def _record(self, item: Item) -> Any:
        answer = {"role": "assistant", "content": item.answer or "(empty)"}
        return rg.Record(
            id=item.key,
            fields={"conversation": [self._bubble(each) for each in item.messages], "answer": [self._bubble(answer)]},
            suggestions=[rg.Suggestion(name, value) for name, value in item.suggestions.items()],
        )

    def _bubble(self, message: dict[str, str]) -> dict[str, str]:
        """Argilla renders a bubble's text as HTML, so what was captured is escaped and read as it is."""
        text = escape(message["content"], quote=False)
        cut = text if len(text) <= self.longest else text[: self.longest - len(CUT)] + CUT
        return {"role": message["role"][:20] or "user", "content": cut}


def _question(question: Question) -> Any:
    common: dict[str, Any] = {
        "name": question.name,
        "title": question.title,
        "description": question.description or None,
        "required": question.required,
    }
    if question.kind is QuestionKind.LABEL:
        return rg.LabelQuestion(labels=list(question.options), **common)
    if question.kind is QuestionKind.RATING:
        return rg.RatingQuestion(values=RATINGS, **common)
    return rg.TextQuestion(use_markdown=False, **common)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    waiting = iter(items)
    while batch := list(islice(waiting, BATCH)):
        yield batch


@contextmanager
def _mapped_errors(url: str) -> Iterator[None]:
    """The one place where the SDK's exceptions become ours."""
    try:
        yield
    except httpx.HTTPError as error:
        raise unreachable(url) from error
    except ArgillaError as error:
        raise _mapped(error) from error


def _mapped(error: Exception) -> StudioError:
    cause = error.__cause__ or error
    if getattr(cause, "status_code", 0) in (400, 409, 422):
        return InvalidInput(f"Argilla did not accept the task: {str(cause)[:300]}")
    return Unavailable(f"Argilla failed while taking the task: {str(cause)[:300]}. Retry the job.")
