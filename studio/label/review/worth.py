"""What there is to review, one finder per kind; each find says why it is worth people's time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.repositories.labels import AnnotationRepository, ResolutionRepository
from storage.repositories.reviews import AgendaRepository
from storage.tables import Annotation, Dataset, EvaluationOutput, Example, Feedback, LabelItem, LabelTask, Resolution
from storage.types import now
from studio.label.resolve import same_answer
from studio.label.review.opinions import is_conflict, sentence, split_of

PEOPLE, JUDGE, FEEDBACK, TOPIC = 3.0, 2.0, 1.0, 0.0
"""Value of a kind of find; what is added says how strong it is, below 1."""
GOLDEN = 0.2
"""Golden examples measure every model, so an error in one costs more."""
JUDGE_SCORE = "judge"
WEIGHTS = {"correction": 3, "thumbs": 2, "score": 1}
SAID = {"correction": "corrected this", "thumbs": "rated this down", "score": "scored this low"}


@dataclass(frozen=True)
class Find:
    """One example worth deciding."""

    example: Example
    value: float
    reason: str
    item: LabelItem | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    """More answers to offer, by who gave them."""


def human_conflicts(session: Session, task_id: str) -> Iterator[Find]:
    """Items of a task that people disagree about and nobody decided, the most split ones worth most."""
    task = session.get(LabelTask, task_id)
    if task is None:
        return
    items = AgendaRepository(session).task_items(task_id)
    answers = AnnotationRepository(session).of_items([item.id for item in items])
    settled = ResolutionRepository(session).of_task(task_id)
    split = [item for item in items if _is_open(task, item, answers.get(item.id, []), settled.get(item.id))]
    examples = {row.id: row for row in ExampleRepository(session).by_ids({item.example_id for item in split})}
    for item in split:
        yield _disputed(task, item, examples[item.example_id], answers.get(item.id, []), settled.get(item.id))


def open_disputes(session: Session, project_id: str) -> Iterator[Find]:
    """Every open dispute of the project."""
    found = ResolutionRepository(session).disputed(project_id)
    answers = AnnotationRepository(session).of_items([item.id for _resolution, item, _example in found])
    for resolution, item, example in found:
        task, given = session.get(LabelTask, item.task_id), answers.get(item.id, [])
        if task:
            yield _disputed(task, item, example, given, resolution)


def judge_conflicts(session: Session, dataset_id: str) -> Iterator[Find]:
    """Verified examples where models agree on another answer than people, or a judge sees it otherwise."""
    dataset = session.get(Dataset, dataset_id)
    latest: dict[str, dict[str, EvaluationOutput]] = defaultdict(dict)
    examples: dict[str, Example] = {}
    for example, output in AgendaRepository(session).judged(dataset) if dataset else ():
        examples[example.id] = example
        latest[example.id].setdefault(output.model_id, output)
    for example_id, outputs in latest.items():
        found = _against_models(examples[example_id], list(outputs.values()))
        judged = _against_judge(examples[example_id], list(outputs.values()))
        yield from (each for each in (found, judged) if each)


def complaints(session: Session, project_id: str, dataset_id: str) -> Iterator[Find]:
    """Examples that users rated down, scored low or corrected since people last looked at them."""
    agenda = AgendaRepository(session)
    largest, grouped = agenda.largest_scores(project_id), defaultdict(list)
    examples = {}
    for example, feedback in agenda.complaints(dataset_id):
        looked_at = example.verified and example.updated_at > feedback.created_at
        if example.excluded in (None, "thumbs_down") and not looked_at and _is_bad(feedback, largest):
            grouped[example.id].append(feedback)
            examples[example.id] = example
    for example_id, said in grouped.items():
        weight = sum(WEIGHTS[each.kind] for each in said)
        value = FEEDBACK + weight / (weight + 5) + _golden(examples[example_id])
        yield Find(examples[example_id], value, _complaint(said))


def _is_open(task: LabelTask, item: LabelItem, given: Sequence[Annotation], resolution: Resolution | None) -> bool:
    if item.gold:  # its answer is known: it measures people
        return False
    return resolution.verdict == "disputed" if resolution else is_conflict(task, item, given)


def _disputed(
    task: LabelTask, item: LabelItem, example: Example, given: Sequence[Annotation], resolution: Resolution | None
) -> Find:
    value = PEOPLE + 0.7 * split_of(task, item, given) + _golden(example)
    agreed = resolution is not None and len(given) > 0 and not is_conflict(task, item, given) and len(given) > 1
    if agreed:
        return Find(example, value, "people agree, but the answer was changed meanwhile in another way", item)
    reason = sentence(given) if len(given) > 1 else "one person could not decide it" if given else "left undecided"
    return Find(example, value, reason, item)


def _against_models(example: Example, outputs: Sequence[EvaluationOutput]) -> Find | None:
    ours = same_answer(example.output)
    others = Counter(same_answer(each.output) for each in outputs if same_answer(each.output) != ours)
    if not others:
        return None
    key, count = others.most_common(1)[0]
    if 2 * count < len(outputs):
        return None
    output = next(each.output for each in outputs if same_answer(each.output) == key)
    reason = _models(count, len(outputs))
    value = JUDGE + 0.7 * count / (len(outputs) + 1) + _golden(example)
    return Find(example, value, reason, others={f"{count} of {len(outputs)} models": output})


def _against_judge(example: Example, outputs: Sequence[EvaluationOutput]) -> Find | None:
    """A score below one half on the people's own answer, or above it on another one."""
    ours = same_answer(example.output)
    for each in outputs:
        for name, score in each.scores.items():
            same = same_answer(each.output) == ours
            if name.startswith(JUDGE_SCORE) and (score < 0.5) == same:
                what = "the people's answer" if same else "an answer that differs from the people's"
                others = {} if same else {"a model": each.output}
                value = JUDGE + 0.7 * min(1.0, abs(score - 0.5) * 2) + _golden(example)
                return Find(example, value, f"the judge gives {what} {score:.2f}", others=others)
    return None


def _is_bad(feedback: Feedback, largest: Mapping[str, float]) -> bool:
    if feedback.kind != "score":
        return True
    on_stars = (largest.get(feedback.name) or 0) > 1
    return feedback.value is not None and feedback.value < (2.5 if on_stars else 0.5)


def _complaint(said: Sequence[Feedback]) -> str:
    """In the form of: 2 users rated this down this week, 1 user corrected this by 3 May."""
    kinds: dict[str, list[Feedback]] = defaultdict(list)
    for each in said:
        kinds[each.kind].append(each)
    return ", ".join(f"{_users(rows)} {SAID[kind]} {_when(rows)}" for kind, rows in kinds.items())


def _users(rows: Sequence[Feedback]) -> str:
    named = {each.given_by for each in rows if each.given_by}
    count = len(named) + sum(not each.given_by for each in rows)
    return "1 user" if count == 1 else f"{count} users"


def _when(rows: Sequence[Feedback]) -> str:
    newest: datetime = max(each.created_at for each in rows)
    return "this week" if newest > now() - timedelta(days=7) else f"by {newest:%d %B}"


def _models(count: int, of: int) -> str:
    if of == 1:
        return "the model answers something else than people verified"
    many = "both models answer" if count == of == 2 else f"{count} of {of} models answer"
    return f"{many} the same, and not what people verified" if count > 1 else "a model answers something else"


def _golden(example: Example) -> float:
    return GOLDEN if example.split == "golden" else 0.0


def merged(finds: Sequence[Find]) -> list[Find]:
    """One find per example, the most valuable first: several reasons to look at it add up."""
    found: dict[str, Find] = {}
    for each in sorted(finds, key=lambda find: (-find.value, find.example.id)):
        first = found.get(each.example.id)
        found[each.example.id] = _both(first, each) if first else each
    return sorted(found.values(), key=lambda find: (-find.value, find.example.id))


def _both(first: Find, second: Find) -> Find:
    reason = first.reason if second.reason in first.reason else f"{first.reason}; {second.reason}"
    others: dict[str, Any] = {**second.others, **first.others}
    return replace(first, reason=reason, value=first.value + 0.1, item=first.item or second.item, others=others)
