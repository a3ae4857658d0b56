"""From answers to outputs: apply what people agree on, list what they dispute, decide that by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository, ResolutionRepository
from storage.tables import Annotation, Example, LabelItem, LabelTask, Resolution
from studio.curate.examples import set_answer
from studio.errors import InvalidInput, NotFound
from studio.label.resolve import Decision, Opinion, decide, same_answer, settle
from studio.label.templates import template

LEFT_OUT = "disputed"
"""Reason for excluding an example that review found unusable."""


@dataclass
class Applied:
    """What applying a task's answers did. `waiting` items lack answers; `reviewed` ones stay as review decided."""

    confirmed: int = 0
    corrected: int = 0
    disputed: int = 0
    waiting: int = 0
    reviewed: int = 0

    def __str__(self) -> str:
        """One line for the page and the terminal."""
        said = f"{self.confirmed} confirmed, {self.corrected} corrected, {self.disputed} disputed"
        said += f", {self.waiting} waiting for answers" if self.waiting else ""
        return said + (f", {self.reviewed} decided in review" if self.reviewed else "")


@dataclass(frozen=True)
class Dispute:
    """An item people disagree about: the example, what they saw, and what each said and stands by."""

    item_id: str
    task_id: str
    example: Example
    shown_output: str
    answers: list[tuple[Annotation, str | None]]


def apply_answers(session: Session, task: LabelTask) -> Applied:
    """Turn the answers into resolutions and outputs; doing it again with the same answers changes nothing."""
    items, annotations = LabelItemRepository(session), AnnotationRepository(session)
    resolutions = ResolutionRepository(session).of_task(task.id)
    answered: dict[str, list[Annotation]] = {}
    for each in annotations.of_task(task.id, "submitted"):
        answered.setdefault(each.item_id, []).append(each)
    done = Applied()
    for item, example in list(items.with_examples(task.id)):
        given, resolution = answered.get(item.id, []), resolutions.get(item.id)
        if resolution and resolution.rule == "review":
            done.reviewed += 1
        elif not given or (task.state != "closed" and len(given) < task.answers_per_item):
            done.waiting += 1
        else:
            decision = _decision(task, item, example, given, resolution)
            resolution = _record(session, task, item, resolution, decision, "")
            _put(example, resolution, decision)
            setattr(done, decision.verdict, getattr(done, decision.verdict) + 1)
    return done


def disputes(session: Session, project_id: str, task_id: str | None = None) -> list[Dispute]:
    """What waits for a decision, with everybody's answers."""
    found = ResolutionRepository(session).disputed(project_id, task_id)
    answers = AnnotationRepository(session).of_items([item.id for _resolution, item, _example in found])
    tasks = {item.task_id: session.get(LabelTask, item.task_id) for _resolution, item, _example in found}
    return [
        Dispute(item.id, item.task_id, example, item.shown_output, _read(tasks[item.task_id], item, answers))
        for _resolution, item, example in found
    ]


def settle_item(session: Session, item_id: str, output: str, decided_by: str) -> Resolution:
    """Decide an item by hand: this output is right."""
    if not output.strip():
        raise InvalidInput("The answer is empty. Write what the model should have answered, or leave the example out.")
    item, example, task = _found(session, item_id)
    decision = settle(item.shown_output, output, "review")
    resolution = _record(session, task, item, _resolution_of(session, item), decision, decided_by)
    _put(example, resolution, decision)
    return resolution


def leave_out_item(session: Session, item_id: str, decided_by: str) -> Resolution:
    """Decide an item by hand: nobody can say what is right, so the example is excluded."""
    item, example, task = _found(session, item_id)
    decision = Decision("left_out", None, "review")
    example.excluded = LEFT_OUT
    session.add(example)
    return _record(session, task, item, _resolution_of(session, item), decision, decided_by)


def _decision(
    task: LabelTask, item: LabelItem, example: Example, given: Sequence[Annotation], resolution: Resolution | None
) -> Decision:
    asked = template(task.template)
    opinions = [Opinion(each.annotator, asked.output(each.answers, item.shown_output)) for each in given]
    decision = decide(opinions, item.shown_output)
    if decision.output is not None and _changed_elsewhere(item, example, resolution, decision.output):
        return Decision("disputed")
    return decision


def _changed_elsewhere(item: LabelItem, example: Example, resolution: Resolution | None, output: str) -> bool:
    """Whether somebody gave the example another answer by another way since it was sent."""
    ours = resolution is not None and example.resolution_id == resolution.id
    known = {same_answer(item.shown_output), same_answer(output)}
    return not ours and same_answer(example.output) not in known


def _record(
    session: Session,
    task: LabelTask,
    item: LabelItem,
    resolution: Resolution | None,
    decision: Decision,
    decided_by: str,
) -> Resolution:
    kept = resolution or Resolution(task_id=task.id, item_id=item.id, example_id=item.example_id)
    kept.verdict, kept.output, kept.rule = decision.verdict, decision.output, decision.rule
    kept.decided_by = decided_by
    return ResolutionRepository(session).add(kept)


def _put(example: Example, resolution: Resolution, decision: Decision) -> None:
    if decision.output is not None:
        unchanged = example.resolution_id == resolution.id and example.output == decision.output and example.verified
        if not unchanged:
            set_answer(example, decision.output, "people", verified=True, resolution_id=resolution.id)
    elif example.resolution_id == resolution.id:  # people changed their minds after it was applied
        example.verified = False


def _read(
    task: LabelTask | None, item: LabelItem, answers: dict[str, list[Annotation]]
) -> list[tuple[Annotation, str | None]]:
    asked = template(task.template if task else "verdict")
    return [(each, asked.output(each.answers, item.shown_output)) for each in answers.get(item.id, [])]


def _found(session: Session, item_id: str) -> tuple[LabelItem, Example, LabelTask]:
    item = LabelItemRepository(session).get(item_id)
    if item is None:
        raise NotFound("There is no such item. Reload the page to see what is there now.")
    example, task = session.get(Example, item.example_id), session.get(LabelTask, item.task_id)
    if example is None or task is None:
        raise NotFound("The example of this item is gone. Reload the page.")
    return item, example, task


def _resolution_of(session: Session, item: LabelItem) -> Resolution | None:
    return ResolutionRepository(session).find_one(item_id=item.id)
