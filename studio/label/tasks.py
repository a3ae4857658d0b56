"""Labeling: send examples to teammates, collect what they say, measure agreement, apply it to the dataset."""

from __future__ import annotations

from storage.repositories.labels import CeilingRepository, LabelItemRepository, LabelTaskRepository
from storage.repositories.labels import ResolutionRepository as Resolutions
from storage.tables import Example, HumanCeiling, LabelItem, LabelTask, Resolution
from studio.access.actor import Actor, Role, permit
from studio.curate.datasets import found_dataset
from studio.errors import Conflict, NotAllowed, NotFound
from studio.label import asking, collecting, guidelines, resolving
from studio.label.agreement import Agreement
from studio.label.argilla_health import test_connection
from studio.label.backend import Health, LabelingBackend
from studio.label.ceiling import store_ceiling, task_agreement
from studio.label.collecting import Collected
from studio.label.draft import Preview, TaskDraft
from studio.label.losing import mark_found, mark_lost, trouble
from studio.label.publishing import found_task, spec_of, teammate_of
from studio.label.quality import PersonQuality, quality_of
from studio.label.resolving import Applied, Dispute
from studio.label.templates import template
from studio.label.tending import Tending
from studio.label.waiting import left_for
from studio.label.watching import Answered, Progress, progress_of

__all__ = ["Answered", "Labeling", "Progress"]
PREVIEWED = 50


class Labeling(Tending):
    """Everything the Label and Review pages and the command line do."""

    # --- sending ---------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, draft: TaskDraft) -> LabelTask:
        """Choose examples and queue them for sending."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            dataset = found_dataset(session, draft.dataset_id)
            task = asking.make_task(session, actor, draft)
            count = LabelItemRepository(session).count(task_id=task.id)
            title = f"Send {count} examples to {len(task.assignees)} teammates"
            spec = {"task_id": task.id}
            self.jobs.enqueue(session, actor, "publish", spec, title=title, project_id=dataset.project_id)
            return task

    def preview(self, draft: TaskDraft, most: int = PREVIEWED) -> Preview:
        """What `create` would send now; the first `most` items in full."""
        with self.database.read() as session:
            return asking.preview_of(session, draft, most)

    def teammates(self) -> list[str]:
        """Usernames of everybody who may label."""
        with self.database.read() as session:
            return asking.teammates(session)

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
            return progress_of(session, found_task(session, task_id))

    def agreement(self, task_id: str) -> list[Agreement]:
        """Agreement per question over submitted answers, with intervals and n."""
        return task_agreement(self.database, task_id)

    def ceilings(self, dataset_id: str) -> list[HumanCeiling]:
        """How well people agreed in the dataset's tasks when answers were last applied: no model can do better."""
        with self.database.read() as session:
            return CeilingRepository(session).of_dataset(dataset_id)

    def quality(self, actor: Actor, task_id: str) -> list[PersonQuality]:
        """How each person answers, as help for whoever writes the guidelines; for editors and admins."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            return quality_of(session, found_task(session, task_id))

    def left(self, task_id: str, username: str) -> int:
        """How many examples wait for this person."""
        with self.database.read() as session:
            return left_for(session, found_task(session, task_id), username)

    def health(self) -> Health:
        """Whether the labeling platform answers; never raises."""
        return self.backend().health()

    def test_connection(self, url: str, key: str) -> Health:
        """Whether the studio could work with the Argilla at this address with this key; nothing is saved."""
        return test_connection(url, key)

    # --- collecting ------------------------------------------------------------------------------------------------

    def sync_open(self) -> int:
        """Look at every open task; returns how many answers were new or changed. Called every few seconds."""
        tasks = collecting.open_tasks(self.database)
        backend = self.backend() if tasks else None
        done = [self._look_at(backend, task) for task in tasks if backend]
        return sum(each.new + each.changed for each in done)

    def _look_at(self, backend: LabelingBackend, task: LabelTask) -> Collected:
        """Collect a task; one that somebody deleted on the platform must not stop the others."""
        try:
            done = collecting.collect(self.database, backend, task.id, everything=bool(trouble(task)))
        except NotFound:
            mark_lost(self.database, task.id)
            return Collected()
        mark_found(self.database, task)
        if guidelines.must_be_told(task):
            self._tell(task.id)
        return done

    def enter_url(self, actor: Actor, task_id: str) -> str:
        """Where the actor answers the task, signed in already; the link works once, within a minute."""
        with self.database.read() as session:
            permit(session, actor, Role.LABELER)
            task = found_task(session, task_id)
            if not actor.can(Role.EDITOR) and task.assignees and actor.username not in task.assignees:
                raise NotAllowed("You are not asked in this task. Your tasks are on the Label page.")
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
            done = resolving.apply_answers(session, task)
        store_ceiling(self.database, task_id)
        return done

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
