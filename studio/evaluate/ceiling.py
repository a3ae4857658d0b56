"""The human ceiling: how often two people give the same answer, to read the models' figures against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.labels import CeilingRepository, LabelTaskRepository
from storage.tables import HumanCeiling, LabelTask
from studio.scoring import FIELD
from studio.scoring.proportions import wilson
from studio.scoring.statistics import Estimate

WHOLE = "exact_match"
NAME = "Two people"


@dataclass(frozen=True)
class Ceiling:
    """Share of examples to which two people gave the same answer, for the metric it can be held against."""

    metric: str
    """exact_match, or field:<name> where people were asked for one field of the answer."""
    task: str
    estimate: Estimate
    anchored: bool
    """Whether they started from a model's answer, which brings answers closer together."""

    @property
    def sentence(self) -> str:
        """What it means, claiming no more than it shows."""
        each = self.estimate
        what = f"equal answers for {100 * each.mean:.0f} % of the examples"
        if self.metric.startswith(FIELD):
            what = f"the same “{self.metric.removeprefix(FIELD)}” for {100 * each.mean:.0f} % of the examples"
        interval = f"95 % interval {100 * each.low:.0f} to {100 * each.high:.0f}"
        began = " They started from a model's answer, which brings answers closer together." if self.anchored else ""
        means = "Do not expect a model to do better on this data: beyond that, people do not agree on what is right."
        if each.mean >= 1:
            means = "Nobody differed, so people's disagreement sets no limit here."
        return f"Human ceiling: two people gave {what} of “{self.task}” ({interval}, n={each.n:,}). {means}{began}"


def ceilings_of(session: Session, dataset_id: str) -> list[Ceiling]:
    """The dataset's ceilings, one per metric: the one that most examples stand behind."""
    tasks = {task.id: task for task in LabelTaskRepository(session).of_dataset(dataset_id)}
    rows = CeilingRepository(session).of_dataset(dataset_id)
    return widest([(row, tasks[row.task_id]) for row in rows if row.task_id in tasks])


def widest(measured: Sequence[tuple[HumanCeiling, LabelTask]]) -> list[Ceiling]:
    """One ceiling per metric, newest first among those of as many examples; the whole answer before its fields."""
    found: dict[str, Ceiling] = {}
    for row, task in measured:
        metric = _metric(row.question, task)
        if metric and row.n and (metric not in found or row.n > found[metric].estimate.n):
            found[metric] = Ceiling(metric, task.name, _estimate(row), anchored=task.template == "verdict")
    return sorted(found.values(), key=lambda each: (each.metric != WHOLE, each.metric))


def _metric(question: str, task: LabelTask) -> str | None:
    """What a question's agreement can be held against; None where it is about something else than the output."""
    if (task.template, question) == ("verdict", "output"):
        return WHOLE
    if (task.template, question) == ("pick_label", "label"):
        field = (task.spec.get("options") or {}).get("field")
        return f"{FIELD}{field}" if field else WHOLE
    return None


def _estimate(row: HumanCeiling) -> Estimate:
    """Agreement with Wilson's interval over the examples; the stored interval is the chance-corrected measure's."""
    share = row.percent / 100
    return Estimate(share, *wilson(round(share * row.n), row.n), row.n)
