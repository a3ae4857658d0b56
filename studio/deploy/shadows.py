"""Shadows: what a revision would have answered to real calls, beside what was answered, and what to make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from storage.database import Database
from storage.repositories.deployments import DeploymentRepository, RevisionRepository
from storage.repositories.logs import LogEntryRepository
from storage.repositories.traffic import ShadowPairRepository
from storage.tables import Deployment, LabelTask, LogEntry, Revision, ShadowPair
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.intake import Added
from studio.curate.outputs import parse_object, same_answer
from studio.errors import InvalidInput, NotFound
from studio.label.draft import TaskDraft
from studio.label.tasks import Labeling
from studio.scoring.proportions import wilson

MOST_PAIRS = 5_000
MOST_ADDED = 1_000


@dataclass(frozen=True)
class ShadowSummary:
    """A shadow beside the live routes, over its newest 5,000 calls of the last 30 days."""

    n: int = 0
    """Calls that both were asked."""
    errors: int = 0
    """Calls that the shadow gave no answer to."""
    same: int = 0
    """Calls with the same answer: JSON by value, other text without space at its ends."""
    same_low: float = 0.0
    same_high: float = 1.0
    """Wilson's 95 % interval of `same_share`."""
    live_json: int = 0
    shadow_json: int = 0
    """Answers that are JSON objects, of the calls that both answered."""
    live_ms: float | None = None
    shadow_ms: float | None = None
    """Medians of the calls that both answered; a stream's time is that of its last piece."""

    @property
    def answered(self) -> int:
        """Calls that both answered."""
        return self.n - self.errors

    @property
    def same_share(self) -> float | None:
        """Of the calls that both answered; None without any."""
        return self.same / self.answered if self.answered else None


class Shadows:
    """Reads the pairs, and hands those that differ to Curate and Label."""

    def __init__(self, database: Database, datasets: Datasets, labeling: Labeling) -> None:
        self.database = database
        self.datasets = datasets
        self.labeling = labeling

    def pairs(
        self, deployment_id: str, limit: int = 100, revision_id: str | None = None, only_different: bool = False
    ) -> list[ShadowPair]:
        """Newest first; `only_different` leaves out the same answers and the errors, among the newest 5,000."""
        with self.database.read() as session:
            most = MOST_PAIRS if only_different else limit
            found = ShadowPairRepository(session).newest(deployment_id, revision_id, most)
        return [pair for pair in found if not only_different or _differs(pair)][:limit]

    def summary(self, deployment_id: str, revision_id: str) -> ShadowSummary:
        """How the shadow did beside the live routes."""
        with self.database.read() as session:
            rows = ShadowPairRepository(session).compared(deployment_id, revision_id, MOST_PAIRS)
        both = [row for row in rows if row[4] is None]
        same = sum(same_answer(live) == same_answer(shadow) for live, shadow, *_ in both)
        low, high = wilson(same, len(both))
        return ShadowSummary(
            n=len(rows),
            errors=len(rows) - len(both),
            same=same,
            same_low=low,
            same_high=high,
            live_json=sum(parse_object(row[0]) is not None for row in both),
            shadow_json=sum(parse_object(row[1]) is not None for row in both),
            live_ms=median(row[2] for row in both) if both else None,
            shadow_ms=median(row[3] for row in both) if both else None,
        )

    def to_dataset(
        self, actor: Actor, deployment_id: str, revision_id: str, dataset_id: str, limit: int = MOST_ADDED
    ) -> Added:
        """Add the calls that the shadow answered otherwise to a dataset of the project; safe to repeat."""
        deployment, _revision = self._found(deployment_id, revision_id)
        if self.datasets.get(dataset_id).project_id != deployment.project_id:
            raise InvalidInput("This dataset belongs to another project. Choose one of the alias's own project.")
        different = self.pairs(deployment_id, limit, revision_id, only_different=True)
        if not different:
            raise InvalidInput("The shadow has answered no call otherwise yet. Give it a share of the calls, and wait.")
        return self.datasets.add_entries(actor, dataset_id, self._calls(deployment.project_id, different))

    def to_label(
        self,
        actor: Actor,
        deployment_id: str,
        revision_id: str,
        dataset_id: str,
        *,
        name: str = "",
        size: int = 60,
        answers_per_item: int = 1,
        people: Sequence[str] = (),
    ) -> LabelTask:
        """Ask people which answer is better, blind to whose it is; what they prefer becomes preference pairs."""
        deployment, revision = self._found(deployment_id, revision_id)
        self.to_dataset(actor, deployment_id, revision_id, dataset_id)
        draft = TaskDraft(
            dataset_id=dataset_id,
            name=name or f"{deployment.alias}: live or revision {revision.number}",
            template="compare",
            size=size,
            answers_per_item=answers_per_item,
            people=tuple(people),
            sample="shadow",
        )
        return self.labeling.create(actor, draft)

    def _found(self, deployment_id: str, revision_id: str) -> tuple[Deployment, Revision]:
        with self.database.read() as session:
            deployment = DeploymentRepository(session).get(deployment_id)
            revision = RevisionRepository(session).get(revision_id)
        if deployment is None or revision is None or revision.deployment_id != deployment.id:
            raise NotFound("This shadow no longer exists. Reload the page.")
        return deployment, revision

    def _calls(self, project_id: str, pairs: Sequence[ShadowPair]) -> list[LogEntry]:
        with self.database.read() as session:
            return LogEntryRepository(session).by_uids(project_id, [pair.log_uid for pair in pairs])


def _differs(pair: ShadowPair) -> bool:
    return pair.error is None and same_answer(pair.live_text) != same_answer(pair.shadow_text)
