"""Who decided what about an example: for the frozen rows, and as the history of one example."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from storage.repositories.decisions import DecisionRepository
from storage.tables import Example, Resolution
from studio.curate.outputs import canonical, same_answer

BY_HAND = "by_hand"
"""Rule of a resolution that a person made on the Curate page, outside of any task or session."""
STARS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Decided:
    """Who stands by an example's output and by which rule, and how its answer was rated (0 worst to 1 best)."""

    by: str = ""
    how: str = ""
    rated: float | None = None


@dataclass(frozen=True)
class PastDecision:
    """One line of an example's history."""

    verdict: str
    output: str | None
    rule: str
    decided_by: str
    where: str
    """Name of the labeling task or the review session; empty for a decision by hand."""
    at: datetime
    stands: bool
    """Whether the example's output is this decision's today."""


class Decisions:
    """Looks decisions up for pages of examples of one dataset."""

    def __init__(self, session: Session, dataset_id: str) -> None:
        self.repository = DecisionRepository(session)
        self.scales = _scales(self.repository.questions(dataset_id))

    def of(self, examples: Sequence[Example]) -> dict[str, Decided]:
        """What was decided about each of these examples, by example; those nobody looked at are missing."""
        ids = [row.resolution_id for row in examples if row.resolution_id]
        resolutions = self.repository.by_ids(ids)
        names = self.names_of(list(resolutions.values()))
        rated = self._ratings(examples) if self.scales else {}
        found = {}
        for row in examples:
            resolution = resolutions.get(row.resolution_id or "")
            if resolution and _stands(resolution, row):
                found[row.id] = Decided(names[resolution.id], resolution.rule, rated.get(row.id))
            elif row.id in rated:
                found[row.id] = Decided(rated=rated[row.id])
        return found

    def names_of(self, resolutions: Sequence[Resolution]) -> dict[str, str]:
        """Who decided, by resolution: the name on it, or whoever gave the answer that a rule made it of."""
        unsigned = [each.item_id for each in resolutions if each.item_id and not each.decided_by]
        answers = self.repository.answers(unsigned)
        return {
            each.id: each.decided_by or _agreeing(each, answers.get(each.item_id or "", [])) for each in resolutions
        }

    def _ratings(self, examples: Sequence[Example]) -> dict[str, float]:
        """Mean rating of each answer as it stands; ratings of an answer that was changed since do not count."""
        outputs = {row.id: row.output for row in examples}
        points: dict[str, list[float]] = defaultdict(list)
        for example_id, task_id, shown, given in self.repository.answers_to(list(outputs)):
            scales = self.scales.get(task_id)
            if scales and same_answer(shown) == same_answer(outputs[example_id]):
                points[example_id] += [
                    (given[name] - low) / (high - low) for name, (low, high) in scales.items() if name in given
                ]
        return {key: round(sum(each) / len(each), 4) for key, each in points.items() if each}


def history_of(session: Session, example: Example) -> list[PastDecision]:
    """Every decision about the example, newest first."""
    decisions = Decisions(session, example.dataset_id)
    rows = decisions.repository.history(example.id)
    names = decisions.names_of([resolution for resolution, _task, _title in rows])
    return [
        PastDecision(
            verdict=resolution.verdict,
            output=resolution.output,
            rule=resolution.rule,
            decided_by=names[resolution.id],
            where=title or task or "",
            at=resolution.created_at,
            stands=resolution.id == example.resolution_id and _stands(resolution, example),
        )
        for resolution, task, title in reversed(rows)
    ]


def joined(lists: Iterable[str]) -> str:
    """Names, or lists of names with commas, as one such list: each name once, in order."""
    names = {name.strip() for each in lists for name in each.split(",")}
    return ", ".join(sorted(names - {""}))


def _scales(questions: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Lowest and highest value of each rating question, by task."""
    found = {}
    for task_id, asked in questions.items():
        ratings = {each["name"]: each.get("ratings") or STARS for each in asked if each.get("kind") == "rating"}
        if ratings:
            found[task_id] = {name: (min(values), max(values)) for name, values in ratings.items()}
    return found


def _stands(resolution: Resolution, example: Example) -> bool:
    """Whether the example's output is still the one that was decided."""
    return resolution.output is not None and same_answer(resolution.output) == same_answer(example.output)


def _agreeing(resolution: Resolution, answers: Sequence[tuple[str, dict[str, Any]]]) -> str:
    return joined(who for who, given in answers if _agrees(resolution, given))


def _agrees(resolution: Resolution, given: dict[str, Any]) -> bool:
    """Whether an answer says the output that was decided, or that the shown output is right."""
    if resolution.output is None:
        return False
    meant = same_answer(resolution.output)
    texts = [value for value in given.values() if isinstance(value, str | list)]
    said = (value if isinstance(value, str) else canonical(value) for value in texts)
    if any(same_answer(value) == meant for value in said):
        return True
    return resolution.verdict == "confirmed" and "output" not in given and given.get("verdict") == "correct"
