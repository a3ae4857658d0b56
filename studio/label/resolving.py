"""From answers to outputs: apply what people agree on, list what they dispute, decide that by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository, ResolutionRepository
from storage.repositories.preferences import PreferenceRepository
from storage.tables import Annotation, Example, LabelItem, LabelTask, PreferencePair, Resolution
from studio.curate.examples import set_answer
from studio.errors import InvalidInput, NotFound
from studio.label.items import asked_of
from studio.label.resolve import Decision, same_answer, settle
from studio.label.templates import template
from studio.label.templates.compare import preferred

LEFT_OUT = "disputed"
"""Reason for excluding an example that review found unusable."""


@dataclass
class Applied:
    """What applying a task's answers did. `waiting` items lack answers; `reviewed` ones stay as review decided.

    `tied` comparisons have no winner and no contradiction, `marked` items got agreed spans, `pairs` are preferences.
    """

    confirmed: int = 0
    corrected: int = 0
    disputed: int = 0
    waiting: int = 0
    reviewed: int = 0
    tied: int = 0
    marked: int = 0
    pairs: int = 0

    def __str__(self) -> str:
        """One line for the page and the terminal."""
        said = f"{self.confirmed} confirmed, {self.corrected} corrected, {self.disputed} disputed"
        rest = (
            (self.tied, "tied"),
            (self.marked, "marked"),
            (self.pairs, "preference pair" if self.pairs == 1 else "preference pairs"),
            (self.waiting, "waiting for answers"),
            (self.reviewed, "decided in review"),
        )
        return ", ".join([said, *(f"{count} {what}" for count, what in rest if count)])


@dataclass(frozen=True)
class Dispute:
    """An item people disagree about: the example, what they saw, and what each said and stands by."""

    item_id: str
    task_id: str
    example: Example
    shown_output: str
    answers: list[tuple[Annotation, str | None]]


def apply_answers(session: Session, task: LabelTask) -> Applied:
    """Turn the answers into resolutions, outputs and preference pairs; doing it again with the same changes nothing."""
    items, annotations = LabelItemRepository(session), AnnotationRepository(session)
    resolutions = ResolutionRepository(session).of_task(task.id)
    answered: dict[str, list[Annotation]] = {}
    for each in annotations.of_task(task.id, "submitted"):
        answered.setdefault(each.item_id, []).append(each)
    done, pairs = Applied(), list[PreferencePair]()
    for item, example in list(items.with_examples(task.id)):
        if item.gold:  # its answer is known: it measures people
            continue
        given, resolution = answered.get(item.id, []), resolutions.get(item.id)
        if not given or (task.state != "closed" and len(given) < task.answers_per_item):
            done.waiting += not _is_reviewed(resolution)
            done.reviewed += _is_reviewed(resolution)
            continue
        pairs += _pairs(task, item, given)
        if _is_reviewed(resolution):
            done.reviewed += 1
        else:
            decision = _decision(task, item, example, given, resolution)
            signed = _signers(task, item, given, decision)
            _put(task, example, _record(session, task, item, resolution, decision, signed), decision)
            setattr(done, decision.verdict, getattr(done, decision.verdict) + 1)
    if template(task.template).needs_candidates:
        PreferenceRepository(session).replace(task.id, pairs)
    done.pairs = len(pairs)
    return done


def stands_by(task: LabelTask, item: LabelItem, annotation: Annotation) -> str | None:
    """The output that a person's answer stands by, or None."""
    return template(task.template).output(annotation.answers, item.shown_output, asked_of(task, item))


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
    _verify(example, resolution, decision.output or output)
    return resolution


def leave_out_item(session: Session, item_id: str, decided_by: str) -> Resolution:
    """Decide an item by hand: nobody can say what is right, so the example is excluded."""
    item, example, task = _found(session, item_id)
    decision = Decision("left_out", None, "review")
    example.excluded = LEFT_OUT
    session.add(example)
    return _record(session, task, item, _resolution_of(session, item), decision, decided_by)


def _is_reviewed(resolution: Resolution | None) -> bool:
    return resolution is not None and resolution.rule == "review"


def _decision(
    task: LabelTask, item: LabelItem, example: Example, given: Sequence[Annotation], resolution: Resolution | None
) -> Decision:
    asked = template(task.template)
    answers = [(each.annotator, each.answers) for each in given]
    decision = asked.decision(answers, item.shown_output, asked_of(task, item))
    if decision.output is None or asked.effect == "none":
        return decision
    if _changed_elsewhere(item, example, resolution, decision.output):
        return Decision("disputed")
    contradicted = example.verified and same_answer(example.output) != same_answer(decision.output)
    return Decision("disputed") if asked.effect == "preferred" and contradicted else decision


def _signers(task: LabelTask, item: LabelItem, given: Sequence[Annotation], decision: Decision) -> str:
    """Who stands by what was decided, by name; nobody where nothing was."""
    if decision.output is None:
        return ""
    meant = same_answer(decision.output)
    stand = {each.annotator: stands_by(task, item, each) for each in given}
    return ", ".join(sorted(who for who, output in stand.items() if output and same_answer(output) == meant))


def _pairs(task: LabelTask, item: LabelItem, given: Sequence[Annotation]) -> list[PreferencePair]:
    """What the majority of the item's rankings prefers, pair by pair."""
    if not template(task.template).needs_candidates:
        return []
    candidates = asked_of(task, item).candidates
    outputs = {str(each["name"]): str(each["output"]) for each in candidates}
    return [
        PreferencePair(
            dataset_id=task.dataset_id,
            example_id=item.example_id,
            task_id=task.id,
            chosen=outputs[each.better],
            rejected=outputs[each.worse],
            source="ranking",
            votes=each.votes,
            against=each.against,
            decided_by=", ".join(each.people),
        )
        for each in preferred([(each.annotator, each.answers) for each in given], candidates)
    ]


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
    session.add(kept)
    return kept


def _put(task: LabelTask, example: Example, resolution: Resolution, decision: Decision) -> None:
    effect = template(task.template).effect
    if effect == "none":
        return
    if decision.output is None:
        if example.resolution_id == resolution.id:  # people changed their minds after it was applied
            example.verified = False
    elif effect == "verified":
        _verify(example, resolution, decision.output)
    elif same_answer(example.output) != same_answer(decision.output):
        # The best of a few answers need not be right: it is learned from, but it measures nothing.
        set_answer(example, decision.output, "people", verified=False, resolution_id=resolution.id)


def _verify(example: Example, resolution: Resolution, output: str) -> None:
    unchanged = example.resolution_id == resolution.id and example.output == output and example.verified
    if not unchanged:
        set_answer(example, output, "people", verified=True, resolution_id=resolution.id)


def _read(
    task: LabelTask | None, item: LabelItem, answers: dict[str, list[Annotation]]
) -> list[tuple[Annotation, str | None]]:
    return [(each, stands_by(task, item, each) if task else None) for each in answers.get(item.id, [])]


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
