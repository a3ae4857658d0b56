"""Makes calls and datasets for the tests of curation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, LogEntry, Project
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.jobs.queue import Jobs

MakeCall = Callable[..., LogEntry]
WORDS = ("amber", "birch", "cedar", "dahlia", "elm", "fern", "ginger", "hazel", "iris", "juniper", "kale", "laurel")


def ticket(number: int) -> str:
    """Tickets that stay different when case, spaces and digits are levelled."""
    return f"The {WORDS[number % 12]} {WORDS[number // 12 % 12]} {WORDS[number // 144 % 12]} arrived broken."


def answer(number: int) -> str:
    return json.dumps({"category": "returns" if number % 2 else "billing", "priority": "low"})


def entry_of(project_id: str, text: str, reply: str | dict[str, Any], **facts: Any) -> LogEntry:
    message = reply if isinstance(reply, dict) else {"role": "assistant", "content": reply}
    prompt = [{"role": "system", "content": "Triage."}, {"role": "user", "content": text}]
    return LogEntry(project_id=project_id, model="m", messages=prompt, reply=message, prompt_text=text, **facts)


@pytest.fixture
def call(database: Database, project: Project) -> MakeCall:
    def make(text: str, reply: str | dict[str, Any] = '{"category": "returns"}', **facts: Any) -> LogEntry:
        with database.write() as session:
            entry = entry_of(project.id, text, reply, **facts)
            session.add(entry)
        return entry

    return make


@pytest.fixture
def datasets(database: Database, artifacts: Artifacts) -> Datasets:
    return Datasets(database, artifacts, Jobs(database))


@pytest.fixture
def dataset(datasets: Datasets, project: Project, operator: Actor) -> Dataset:
    """A dataset without a golden split, so that every rule for training examples holds."""
    return datasets.create(operator, project.id, "plain", golden_percent=0)


@pytest.fixture
def filled(datasets: Datasets, project: Project, operator: Actor, database: Database) -> Dataset:
    """A dataset of 120 different tickets, a fifth of them golden."""
    dataset = datasets.create(operator, project.id, "tickets", golden_percent=20)
    entries = [entry_of(dataset.project_id, ticket(number), answer(number)) for number in range(120)]
    with database.write() as session:
        session.add_all(entries)
    datasets.add_entries(operator, dataset.id, entries)
    return dataset
