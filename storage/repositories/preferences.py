"""Queries over what there is to compare, and over the pairs that comparing made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from sqlmodel import col, delete, select

from storage.repositories.base import Repository
from storage.tables import EvaluationOutput, Example, LogEntry, Model, PreferencePair

STEP = 500


class PreferenceRepository(Repository[PreferencePair]):
    """Preference pairs, and other answers to the same prompts."""

    table: ClassVar[type[PreferencePair]] = PreferencePair

    def replace(self, task_id: str, rows: Collection[PreferencePair]) -> None:
        """Put these in place of the pairs that the task's rankings made before."""
        ours = col(PreferencePair.task_id) == task_id
        self.session.exec(delete(PreferencePair).where(ours, col(PreferencePair.source) == "ranking"))
        self.session.add_all(rows)
        self.session.flush()

    def answered_by(self, examples: Sequence[Example]) -> dict[str, str]:
        """Name of the model that answered when the call was captured, by example; imported rows may have none."""
        entries = {each.log_entry_id: each.id for each in examples if each.log_entry_id is not None}
        found: dict[str, str] = {}
        for ids in _steps(list(entries)):
            query: Any = select(LogEntry.id, LogEntry.served_model, LogEntry.model).where(col(LogEntry.id).in_(ids))
            for entry_id, served, called in self.session.exec(query):
                if served or called:
                    found[entries[entry_id]] = served or called
        return found

    def evaluated(self, examples: Sequence[Example]) -> dict[str, list[tuple[str, str]]]:
        """(model, output) of every evaluation, the newest first, by example; failed calls are left out."""
        found: dict[str, list[tuple[str, str]]] = {}
        for ids in _steps([each.id for each in examples]):
            query: Any = select(EvaluationOutput.example_id, Model.name, EvaluationOutput.output)
            query = query.join(Model, col(Model.id) == col(EvaluationOutput.model_id))
            query = query.where(col(EvaluationOutput.example_id).in_(ids), col(EvaluationOutput.error).is_(None))
            for example_id, model, output in self.session.exec(query.order_by(col(EvaluationOutput.id).desc())):
                found.setdefault(example_id, []).append((model, output))
        return found

    def same_prompts(self, dataset_id: str, examples: Sequence[Example]) -> dict[str, list[Example]]:
        """The dataset's examples with these prompts, by prompt, the newest first."""
        found: dict[str, list[Example]] = {}
        for hashes in _steps(sorted({each.prompt_hash for each in examples if each.prompt_hash})):
            query = select(Example).where(Example.dataset_id == dataset_id, col(Example.prompt_hash).in_(hashes))
            for row in self.session.exec(query.order_by(col(Example.id).desc())):
                found.setdefault(row.prompt_hash, []).append(row)
        return found


def _steps(keys: list[Any]) -> Iterator[list[Any]]:
    return (keys[start : start + STEP] for start in range(0, len(keys), STEP))
