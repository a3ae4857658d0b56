"""Evaluations: models compared on the golden examples of a frozen version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import DatasetRepository, VersionRepository
from storage.repositories.evaluations import EvaluationOutputRepository, EvaluationRepository
from storage.tables import DatasetVersion, Evaluation, EvaluationOutput, Model
from studio.access.actor import Actor, Role, permit
from studio.asking.provider import refuse_without_address
from studio.curate.snapshot import Row, read_split
from studio.errors import InvalidInput, NotFound
from studio.evaluate.ceiling import Ceiling, ceilings_of
from studio.jobs.queue import Jobs
from studio.scoring import DEFAULT, scorer


@dataclass(frozen=True)
class Compared:
    """One golden example with the answer of each model, by model id."""

    row: Row
    answers: dict[str, EvaluationOutput]

    def right(self, model_id: str, metric: str = "exact_match") -> bool:
        """Whether the model's answer is fully right."""
        answer = self.answers.get(model_id)
        return answer is not None and answer.scores.get(metric, 0.0) >= 1.0


def _regressed(pair: Compared, ids: Sequence[str]) -> bool:
    return pair.right(ids[0]) and not pair.right(ids[-1])


ONLY: dict[str, Callable[[Compared, Sequence[str]], bool]] = {
    "regressions": _regressed,
    "improvements": lambda pair, ids: _regressed(pair, ids[::-1]),
    "differences": lambda pair, ids: len({pair.right(key) for key in ids}) > 1,
    "wrong": lambda pair, ids: not pair.right(ids[-1]),
    "errors": lambda pair, ids: any(pair.answers[key].error for key in ids if key in pair.answers),
}
"""Which examples to show. A regression is right in the first of the models and wrong in the last."""


class Evaluations:
    """Everything the Evaluate page and the command line do with evaluations."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs) -> None:
        self.database = database
        self.artifacts = artifacts
        self.jobs = jobs

    def start(
        self,
        actor: Actor,
        version_id: str,
        model_ids: Sequence[str],
        *,
        name: str | None = None,
        verified_only: bool = True,
        scorers: Sequence[dict[str, Any]] = DEFAULT,
        seed: int = 0,
    ) -> Evaluation:
        """Compare models on a version's golden examples, as a job. Raises InvalidInput when there is nothing to ask."""
        for spec in scorers:
            scorer(spec)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            version, project_id = _version(session, version_id)
            models = _models(session, model_ids, project_id)
            refuse_without_golden(version, verified_only)
            made = EvaluationRepository(session).add(
                Evaluation(
                    project_id=project_id,
                    dataset_version_id=version.id,
                    name=name or " vs ".join(model.name for model in models)[:120],
                    model_ids=[model.id for model in models],
                    scorers=[dict(spec) for spec in scorers],
                    seed=seed,
                    verified_only=verified_only,
                    created_by=actor.username,
                )
            )
            spec = {"evaluation_id": made.id}
            job = self.jobs.enqueue(
                session, actor, "evaluate", spec, title=f"Compare {made.name}", project_id=project_id
            )
            made.job_id = job.id
            return made

    def all(self, project_id: str) -> list[Evaluation]:
        """The project's evaluations, newest first."""
        with self.database.read() as session:
            return EvaluationRepository(session).of_project(project_id)

    def get(self, evaluation_id: str) -> Evaluation:
        """One evaluation. Raises NotFound."""
        with self.database.read() as session:
            found = EvaluationRepository(session).get(evaluation_id)
        if found is None:
            raise NotFound("There is no such evaluation. Start one on the Evaluate page.")
        return found

    def models(self, evaluation_id: str) -> list[Model]:
        """The models of an evaluation, in its order."""
        evaluation = self.get(evaluation_id)
        with self.database.read() as session:
            return EvaluationRepository(session).models(evaluation.model_ids)

    def ceilings(self, evaluation_id: str) -> list[Ceiling]:
        """How often people agree on this dataset, whole answers first; empty where no two people answered."""
        evaluation = self.get(evaluation_id)
        with self.database.read() as session:
            version, _ = _version(session, evaluation.dataset_version_id)
            return ceilings_of(session, version.dataset_id)

    def outputs(
        self, evaluation_id: str, model_ids: Sequence[str] | None = None, only: str | None = None
    ) -> list[Compared]:
        """Side by side, regressions (right in the first of `model_ids`, wrong in the last) first. `only` as in ONLY."""
        if only is not None and only not in ONLY:
            raise InvalidInput(f"Show only one of: {', '.join(ONLY)}.")
        evaluation = self.get(evaluation_id)
        ids = list(model_ids or evaluation.model_ids)
        with self.database.read() as session:
            version, _ = _version(session, evaluation.dataset_version_id)
            answers = EvaluationOutputRepository(session).of(evaluation_id, ids)
        pairs = _paired(list(read_split(self.artifacts, version.digest, "golden")), answers)
        kept = [pair for pair in pairs if only is None or ONLY[only](pair, ids)]
        return sorted(kept, key=lambda pair: (not _regressed(pair, ids), pair.right(ids[-1]), pair.row.example_id))


def refuse_without_golden(version: DatasetVersion, verified_only: bool) -> None:
    """Raise InvalidInput, with the way out, when the version has no golden examples of the kind asked for."""
    if verified_only and not version.verified_golden_rows:
        raise InvalidInput(
            "No golden example of this version was confirmed by a person, so there is no truth to measure against. "
            "Label some under Label and freeze again, or compare against unverified answers on purpose."
        )
    if not version.golden_rows:
        raise InvalidInput("This version has no golden examples. Raise the golden share and freeze again.")


def _version(session: Session, version_id: str) -> tuple[DatasetVersion, str]:
    version = VersionRepository(session).get(version_id)
    dataset = DatasetRepository(session).get(version.dataset_id) if version else None
    if version is None or dataset is None:
        raise NotFound("There is no such dataset version. Choose one on the Curate page.")
    return version, dataset.project_id


def _models(session: Session, model_ids: Sequence[str], project_id: str) -> list[Model]:
    wanted = list(dict.fromkeys(model_ids))
    found = [model for model in EvaluationRepository(session).models(wanted) if model.project_id == project_id]
    if not wanted or len(found) != len(wanted):
        raise InvalidInput("Choose one or more models of this project.")
    if judge := next((model for model in found if model.kind == "reward"), None):
        raise InvalidInput(f"“{judge.name}” judges answers and writes none, so it cannot be compared. Leave it out.")
    for model in found:
        refuse_without_address(model)
    return found


def _paired(rows: list[Row], answers: list[EvaluationOutput]) -> list[Compared]:
    by_example: dict[str, dict[str, EvaluationOutput]] = {}
    for answer in answers:
        by_example.setdefault(answer.example_id, {})[answer.model_id] = answer
    return [Compared(row, by_example[row.example_id]) for row in rows if row.example_id in by_example]
