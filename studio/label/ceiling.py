"""The human ceiling: how well people agree on a dataset's questions, kept where Evaluate finds it."""

from __future__ import annotations

from collections.abc import Sequence

from storage.database import Database
from storage.repositories.labels import AnnotationRepository, CeilingRepository, LabelItemRepository
from storage.tables import HumanCeiling, LabelTask
from studio.label.agreement import Agreement, agreement_of
from studio.label.publishing import found_task, questions_of


def task_agreement(database: Database, task_id: str) -> list[Agreement]:
    """Agreement per question over submitted answers; gold questions are left out, they are chosen to be clear."""
    with database.read() as session:
        task = found_task(session, task_id)
        gold = set(LabelItemRepository(session).gold_ids(task_id))
        annotations = AnnotationRepository(session).of_task(task_id, "submitted")
    return agreement_of([each for each in annotations if each.item_id not in gold], questions_of(task))


def store_ceiling(database: Database, task_id: str) -> list[HumanCeiling]:
    """Measure now, outside any transaction, and keep the figures in place of the task's earlier ones."""
    found = task_agreement(database, task_id)
    with database.write() as session:
        rows = _rows(found_task(session, task_id), found)
        CeilingRepository(session).replace(task_id, rows)
    return rows


def _rows(task: LabelTask, found: Sequence[Agreement]) -> list[HumanCeiling]:
    return [
        HumanCeiling(
            dataset_id=task.dataset_id,
            task_id=task.id,
            question=each.question,
            percent=each.percent,
            measure=each.measure,
            value=each.kappa,
            low=each.low,
            high=each.high,
            n=each.n,
        )
        for each in found
    ]
