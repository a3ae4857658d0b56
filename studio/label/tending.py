"""Tending a task that was sent: pause, go on, close, deadline, guidelines, sending it again when it was lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from storage.repositories.labels import LabelTaskRepository
from storage.tables import Guideline, Job, LabelTask
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.errors import Conflict, NotFound
from studio.label import collecting, guidelines, losing
from studio.label.base import LabelingPart
from studio.label.ceiling import store_ceiling
from studio.label.collecting import Collected
from studio.label.publishing import found_task


class Tending(LabelingPart):
    """Verbs on a task that is with people."""

    def pause(self, actor: Actor, task_id: str) -> LabelTask:
        """Collect what is there, then tell people to wait; nothing more is collected until it goes on."""
        self._ready(actor, task_id, ("open",), "Only an open task can be paused.")
        self.sync(task_id)
        return self._become(actor, task_id, "paused")

    def reopen(self, actor: Actor, task_id: str) -> LabelTask:
        """Let a paused or closed task go on; answers given meanwhile are collected too."""
        self._ready(actor, task_id, ("paused", "closed"), "This task is open already, or still being sent.")
        return self._become(actor, task_id, "open")

    def close(self, actor: Actor, task_id: str) -> LabelTask:
        """Collect one last time, then stop collecting. A task lost on the platform closes with what we have."""
        task = self._ready(actor, task_id, ("publishing", "open", "paused"), "This task is closed already.")
        if task.backend_ref and not losing.trouble(task):
            self.sync(task_id)
        closed = self._become(actor, task_id, "closed")
        store_ceiling(self.database, task_id)
        return closed

    def set_deadline(self, actor: Actor, task_id: str, deadline: datetime | None) -> LabelTask:
        """Until when people should answer; shown with the guidelines. Nothing closes by itself."""

        def change(session: Session, task: LabelTask) -> None:
            task.deadline = deadline
            record(session, actor, "set the deadline of the labeling task", task.name, deadline=str(deadline or ""))

        return self._changed(actor, task_id, change)

    def set_guidelines(self, actor: Actor, task_id: str, text: str) -> Guideline:
        """A new version of the guidelines; people see it, and answers given from now on carry it."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            version = guidelines.add_version(session, found_task(session, task_id), text, actor.username)
        self._tell(task_id)
        return version

    def guideline_versions(self, task_id: str) -> list[Guideline]:
        """Every version of the guidelines, newest first."""
        with self.database.read() as session:
            return guidelines.versions(session, found_task(session, task_id))

    def sync(self, task_id: str) -> Collected:
        """Make our copy of the task's answers equal to the platform's. Raises NotFound when it lost the task."""
        try:
            done = collecting.collect(self.database, self.backend(), task_id)
        except NotFound as error:
            raise NotFound(losing.mark_lost(self.database, task_id)) from error
        losing.mark_found(self.database, self._found(task_id))
        self._tell(task_id)
        return done

    def send_again(self, actor: Actor, task_id: str) -> Job:
        """Queue what lacks answers for sending, after somebody deleted the task on the platform."""
        self._ready(actor, task_id, ("publishing", "open", "paused"), "Reopen the task before it is sent again.")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
            title = f"Send {task.name} again: {losing.forget_platform(session, task):,} examples"
            project = LabelTaskRepository(session).project_of(task)
            record(session, actor, "sent the labeling task again", task.name)
            spec = {"task_id": task.id}
            return self.jobs.enqueue(session, actor, "publish", spec, title=title, project_id=project.id)

    def _ready(self, actor: Actor, task_id: str, states: tuple[str, ...], otherwise: str) -> LabelTask:
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
        if task.state not in states:
            raise Conflict(otherwise)
        return task

    def _become(self, actor: Actor, task_id: str, state: str) -> LabelTask:
        def change(session: Session, task: LabelTask) -> None:
            task.state, task.closed_at = state, (now() if state == "closed" else None)
            record(session, actor, f"set the labeling task to {state}", task.name)

        return self._changed(actor, task_id, change)

    def _changed(self, actor: Actor, task_id: str, change: Callable[[Session, LabelTask], None]) -> LabelTask:
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            task = found_task(session, task_id)
            change(session, task)
            LabelTaskRepository(session).add(task)
        self._tell(task_id)
        return self._found(task_id)

    def _found(self, task_id: str) -> LabelTask:
        with self.database.read() as session:
            return found_task(session, task_id)

    def _tell(self, task_id: str) -> None:
        """Show people the present guidelines and notes, where the platform shows others."""
        task = self._found(task_id)
        if not task.backend_ref or losing.trouble(task) or not guidelines.must_be_told(task):
            return
        try:
            self.backend().set_guidelines(task.backend_ref, guidelines.shown_guidelines(task))
        except NotFound:
            losing.mark_lost(self.database, task_id)
            return
        with self.database.write() as session:
            guidelines.mark_told(found_task(session, task_id))
