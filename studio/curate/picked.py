"""Calls picked by hand: into a dataset at once, and as golden examples that a person stands by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.repositories.decisions import DecisionRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Dataset, Example, Resolution
from studio.curate.decisions import BY_HAND
from studio.curate.examples import set_answer
from studio.curate.intake import settle, take_in
from studio.errors import InvalidInput, NotFound

MOST = 500
"""Calls that are picked at once; more go through a filter and a job."""


@dataclass(frozen=True)
class Golden:
    """What marking calls as golden did."""

    marked: int = 0
    moved: int = 0
    """Of them, training examples before: models trained on earlier versions may have seen them."""
    unusable: int = 0
    """Calls without an answer, or that failed and nobody corrected."""


def pick(session: Session, dataset: Dataset, uids: Sequence[str]) -> list[Example]:
    """Take these calls of the dataset's project in; their examples in the order of the calls."""
    if not uids or len(uids) > MOST:
        raise InvalidInput(f"Select 1 to {MOST} calls. Add more with “Add to dataset”, which takes any number.")
    entries = LogEntryRepository(session).by_uids(dataset.project_id, uids)
    if not entries:
        raise NotFound("These calls are no longer in the project's log. Reload the page.")
    take_in(session, dataset, entries)
    found = ExampleRepository(session).by_logs(dataset.id, [entry.id or 0 for entry in entries])
    return [found[entry.id] for entry in entries if entry.id in found]


def mark_golden(session: Session, dataset: Dataset, uids: Sequence[str], by: str) -> Golden:
    """Verify the calls' answers as they stand, and keep their prompts for evaluation: never trained on again."""
    examples = pick(session, dataset, uids)
    usable = [example for example in examples if example.output.strip() and example.excluded != "error"]
    moved = sum(example.split != "golden" for example in usable)
    for example in usable:
        _confirm(session, example, by)
    repository = ExampleRepository(session)
    for twin in repository.by_hashes(dataset.id, {example.prompt_hash for example in usable}):
        twin.split = "golden"
    settle(repository, dataset.id, usable)
    session.flush()
    return Golden(len(usable), moved, len(examples) - len(usable))


def _confirm(session: Session, example: Example, by: str) -> None:
    word = Resolution(example_id=example.id, verdict="confirmed", output=example.output, rule=BY_HAND, decided_by=by)
    decided = DecisionRepository(session).add(word)
    set_answer(example, example.output, "people", verified=True, resolution_id=decided.id)
    if example.excluded != "duplicate":
        example.excluded = None
