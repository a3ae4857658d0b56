"""Labeling: send examples to teammates, collect what they say, measure agreement, apply it to the dataset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from storage.database import Database
from storage.repositories.datasets import ExampleRepository
from storage.repositories.labels import AnnotationRepository, LabelItemRepository, LabelTaskRepository
from storage.repositories.labels import ResolutionRepository as Resolutions
from storage.repositories.people import PersonRepository
from storage.tables import Example, LabelItem, LabelTask, Resolution
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.curate.datasets import found_dataset
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.label import collecting, resolving
from studio.label.agreement import Agreement, agreement_of
from studio.label.backend import Health, LabelingBackend
from studio.label.collecting import Collected
from studio.label.publishing import found_task, question_facts, spec_of, teammate_of
from studio.label.resolving import Applied, Dispute
from studio.label.sampling import choose
from studio.label.templates import template
from studio.settings import Settings

log = logging.getLogger(__name__)
LARGEST = 20_000
MOST_ANSWERS = 10
CLOSED_NOTE = "**This task is closed: answers given from now on are not collected.**"


@dataclass(frozen=True)
class Answered:
    """How far one person is."""

    submitted: int = 0
    drafts: int = 0
    discarded: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a task is. An item is complete with as many submitted answers as the task asks for."""

    items: int
    complete: int
    per_person: dict[str, Answered] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    """Resolutions so far: confirmed, corrected, disputed, left_out."""


class Labeling:
    """Everything the Label and Review pages and the command line do."""

    def __init__(
        self, database: Database, jobs: Jobs, backend_factory: Callable[[], LabelingBackend], settings: Settings
    ) -> None:
        self.database = database
        self.jobs = jobs
        self.backend = backend_factory
        self.settings = settings

    # --- sending ---------------------------------------------------------------------------------------------------

    def create(
        self,
        actor: Actor,
        dataset_id: str,
        name: str,
        template: str = "verdict",
        size: int = 60,
        answers_per_item: int = 2,
        assignees: Sequence[str] = (),
        guidelines: str = "",
        sample: str = "golden_first",
        labels: Sequence[str] = (),
        seed: int = 0,
    ) -> LabelTask:
        """Choose examples and queue them for sending. Without assignees, everybody who may label is asked."""
        task = _checked(name, template, size, answers_per_item, guidelines, labels)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            dataset = found_dataset(session, dataset_id)
            task.dataset_id, task.created_by = dataset.id, actor.username
            task.assignees = _assignees(session, assignees, answers_per_item)
            task.spec = {**task.spec, "sample": sample, "seed": seed}
            chosen = choose(LabelItemRepository(session).candidates(dataset.id), size, sample, seed)
            if not chosen:
                raise InvalidInput("No example is left to send: all are verified, excluded or already with people.")
            _add(session, task, chosen)
            title = f"Send {len(chosen)} examples to {len(task.assignees)} teammates"
            spec = {"task_id": task.id}
            self.jobs.enqueue(session, actor, "publish", spec, title=title, project_id=dataset.project_id)
            return task

    def preview(self, dataset_id: str, size: int = 60, sample: str = "golden_first", seed: int = 0) -> list[Example]:
        """The examples that `create` would send now; the page shows the first."""
        with self.database.read() as session:
            chosen = choose(LabelItemRepository(session).candidates(dataset_id), size, sample, seed)
            return _examples(session, chosen)

    def teammates(self) -> list[str]:
        """Usernames of everybody who may label."""
        with self.database.read() as session:
            return _teammates(session)

    # --- watching --------------------------------------------------------------------------------------------------

    def all(self, owner_id: str) -> list[LabelTask]:
        """The tasks of a project or of a dataset, newest first."""
        with self.database.read() as session:
            tasks = LabelTaskRepository(session)
            return tasks.of_project(owner_id) or tasks.of_dataset(owner_id)

    def get(self, task_id: str) -> LabelTask:
        """One task. Raises NotFound."""
        with self.database.read() as session:
            return found_task(session, task_id)

    def items(self, task_id: str) -> list[tuple[LabelItem, Example]]:
        """The task's items with their examples."""
        with self.database.read() as session:
            return list(LabelItemRepository(session).with_examples(task_id))

    def progress(self, task_id: str) -> Progress:
        """Counts from our own copy of the answers."""
        with self.database.read() as session:
            task, annotations = found_task(session, task_id), AnnotationRepository(session)
            return Progress(
                items=LabelItemRepository(session).count(task_id=task_id),
                complete=annotations.complete_items(task_id, task.answers_per_item),
                per_person=_per_person(task, annotations.tally(task_id)),
                verdicts=Resolutions(session).verdicts(task_id),
            )

    def agreement(self, task_id: str) -> list[Agreement]:
        """Agreement per question over submitted answers, with intervals and n."""
        with self.database.read() as session:
            task = found_task(session, task_id)
            annotations = AnnotationRepository(session).of_task(task_id, "submitted")
        return agreement_of(annotations, template(task.template))

    def health(self) -> Health:
        """Whether the labeling platform answers; never raises."""
        return self.backend().health()

    # --- collecting ------------------------------------------------------------------------------------------------

    def sync(self, task_id: str) -> Collected:
        """Make our copy of the task's answers equal to the platform's."""
        return collecting.collect(self.database, self.backend(), task_id)

    def sync_open(self) -> int:
        """Look at every open task; returns how many answers were new or changed. Called every few seconds."""
        tasks = collecting.open_tasks(self.database)
        backend = self.backend() if tasks else None
        done = [self._look_at(backend, task) for task in tasks if backend]
        return sum(each.new + each.changed for each in done)

    def _look_at(self, backend: LabelingBackend, task: LabelTask) -> Collected:
        """Collect a task; one that somebody deleted on the platform must not stop the others."""
        try:
            return collecting.collect(self.database, backend, task.id, everything=False)
        except NotFound as error:
            log.warning("task %s: %s", task.id, error.message)
            return Collected()

    def enter_url(self, actor: Actor, task_id: str) -> str:
        """Where the actor answers the task, signed in already; the link works once, within a minute."""
        with self.database.read() as session:
            permit(session, actor, Role.LABELER)
            task = found_task(session, task_id)
            if not task.backend_ref:
                raise Conflict("The examples are still being sent. Wait for the job to finish.")
            workspace, teammate = spec_of(session, task).workspace, teammate_of(session, actor.username)
        return self.backend().enter_url(teammate, workspace, task.backend_ref)

    # --- deciding --------------------------------------------------------------------------------------------------

    def apply(self, actor: Actor, task_id: str) -> Applied:
        """Agreed answers become verified outputs; disagreements are listed for review."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
            if not template(task.template).decides:
                raise Conflict("This task only measures; it changes no outputs, so there is nothing to apply.")
            return resolving.apply_answers(session, task)

    def disputes(self, project_id: str, task_id: str | None = None) -> list[Dispute]:
        """Items people disagree about and nobody decided yet."""
        with self.database.read() as session:
            return resolving.disputes(session, project_id, task_id)

    def undecided(self, project_id: str) -> int:
        """How many disputes wait for a decision."""
        with self.database.read() as session:
            return Resolutions(session).count_disputed(project_id)

    def decide(self, actor: Actor, item_id: str, output: str) -> Resolution:
        """Review's word on an item: this output is right."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return resolving.settle_item(session, item_id, output, actor.username)

    def leave_out(self, actor: Actor, item_id: str) -> Resolution:
        """Review's word on an item: it is no use, so its example is excluded."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return resolving.leave_out_item(session, item_id, actor.username)

    def close(self, actor: Actor, task_id: str) -> LabelTask:
        """Collect one last time, then stop collecting."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
        if task.backend_ref:
            self.sync(task_id)
            self.backend().set_guidelines(task.backend_ref, f"{CLOSED_NOTE}\n\n{task.guidelines}")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
            task.state, task.closed_at = "closed", task.closed_at or now()
            return LabelTaskRepository(session).add(task)


def _checked(
    name: str, template_name: str, size: int, answers_per_item: int, guidelines: str, labels: Sequence[str]
) -> LabelTask:
    if not name.strip() or len(name.strip()) > 120:
        raise InvalidInput("Give the task a name of 1 to 120 characters.")
    if not 1 <= size <= LARGEST:
        raise InvalidInput(f"Send between 1 and {LARGEST:,} examples at once.")
    if not 1 <= answers_per_item <= MOST_ANSWERS:
        raise InvalidInput(f"Ask for 1 to {MOST_ANSWERS} answers per example.")
    asked = template(template_name)
    return LabelTask(
        name=name.strip(),
        template=template_name,
        guidelines=guidelines.strip() or asked.guidelines,
        answers_per_item=answers_per_item,
        spec={"questions": [question_facts(each) for each in asked.questions(labels)]},
        state="publishing",
    )


def _assignees(session: Session, wanted: Sequence[str], answers_per_item: int) -> list[str]:
    able = _teammates(session)
    chosen = list(dict.fromkeys(wanted)) or able
    unable = [name for name in chosen if name not in able]
    if unable:
        raise InvalidInput(f"These people may not label: {', '.join(unable)}. Give them a role under Settings, People.")
    if len(chosen) < answers_per_item:
        raise InvalidInput(
            f"{answers_per_item} answers per example need at least {answers_per_item} people; {len(chosen)} chosen. "
            "Choose more people or ask for fewer answers."
        )
    return chosen


def _teammates(session: Session) -> list[str]:
    people = PersonRepository(session).find(active=True)
    return sorted(person.username for person in people if Role(person.role).rank >= Role.LABELER.rank)


def _add(session: Session, task: LabelTask, example_ids: Sequence[str]) -> None:
    LabelTaskRepository(session).add(task)
    for example in _examples(session, example_ids):
        session.add(LabelItem(task_id=task.id, example_id=example.id, shown_output=example.output))
    session.flush()


def _examples(session: Session, ids: Sequence[str]) -> list[Example]:
    found = {row.id: row for row in ExampleRepository(session).by_ids(ids)}
    return [found[key] for key in ids]


def _per_person(task: LabelTask, tally: Sequence[tuple[str, str, int]]) -> dict[str, Answered]:
    counts: dict[str, dict[str, int]] = {name: {} for name in task.assignees}
    for annotator, status, count in tally:
        counts.setdefault(annotator, {})[status] = count
    return {
        name: Answered(found.get("submitted", 0), found.get("draft", 0), found.get("discarded", 0))
        for name, found in counts.items()
    }
