"""One unattended turn of the loop on the sample project, through the same verbs as the pages' buttons."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from huggingface_hub import InferenceClient
from openai import OpenAI

from storage.tables import Dataset, DatasetVersion, Evaluation, Job, LabelTask, Model, Project, Revision
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.capture.filters import LogFilter
from studio.cli.terminal import heading, say, show_table, watch
from studio.demo.sample import ALIAS, BASE
from studio.demo.tickets import prompt, tickets
from studio.errors import StudioError
from studio.label.draft import TaskDraft

PEOPLE = ("mia", "noah")
DATASET = "triage"
T = TypeVar("T")


@dataclass
class Turn:
    """Walks the loop once and remembers what each step took."""

    studio: Studio
    calls: int = 2100
    labels: int = 60
    production_calls: int = 400
    preset: str = "balanced"
    actor: Actor = field(default_factory=lambda: Actor.operator("demo"))
    took: dict[str, float] = field(default_factory=dict)

    def run(self) -> Evaluation:
        """Capture, curate, label, train, evaluate, deploy, improve; returns the evaluation."""
        project = self._step("capture", self.capture)
        dataset, first = self._step("curate", lambda: self.curate(project))
        version = self._step("label", lambda: self.label(dataset))
        say(f"Version {first.number} → {version.number}: {version.verified_golden_rows} verified golden examples.")
        base, tuned = self._step("train", lambda: self.train(project, version))
        evaluation = self._step("evaluate", lambda: self.evaluate(project, version, base, tuned))
        revision = self._step("deploy", lambda: self.deploy(project, tuned))
        self._step("improve", lambda: self.improve(project, dataset, revision))
        show_table("Wall time", ("step", "seconds"), [(name, f"{took:.0f}") for name, took in self.took.items()])
        return evaluation

    def capture(self) -> Project:
        """Sample calls through the gateway with the openai client."""
        project = self.studio.sample.set_up(self.actor)
        done = self._watch(self.studio.sample.start(self.actor, self.calls))
        say(
            f"Captured {done['captured']:,} calls ({done['streamed']} streamed, {done['with_tools']} with tools); "
            f"{done['corrections']} corrections and {done['thumbs']} thumbs given by API."
        )
        return project

    def curate(self, project: Project) -> tuple[Dataset, DatasetVersion]:
        """Filtered logs to a dataset, duplicates and broken answers out, frozen."""
        found = [each for each in self.studio.datasets.all(project.id) if each.name == DATASET]
        dataset = found[0] if found else self.studio.datasets.create(self.actor, project.id, DATASET)
        triage = LogFilter(project_id=project.id, tags=(("feature", "triage"),))
        self._watch(self.studio.datasets.add_logs(self.actor, dataset.id, triage))
        version = self._freeze(dataset, "as captured")
        summary = self.studio.datasets.summary(dataset.id)
        left_out = (
            ", ".join(f"{count} for {why.replace('_', ' ')}" for why, count in summary.excluded.items()) or "none"
        )
        say(f"{summary.train} train and {summary.golden} golden examples; left out: {left_out}.")
        return dataset, version

    def label(self, dataset: Dataset) -> DatasetVersion:
        """Two teammates answer in Argilla (here through its API, from the generator's truth); answers are applied."""
        known = {person.username for person in self.studio.people.all()}
        for name in set(PEOPLE) - known:
            self.studio.people.invite(self.actor, name, Role.LABELER)
        draft = TaskDraft(dataset.id, "Golden set", size=self.labels, people=PEOPLE)
        task = self.studio.labeling.create(self.actor, draft)
        self._finish("publish")
        self._answer(task)
        self.studio.labeling.sync(task.id)
        for question in self.studio.labeling.agreement(task.id):
            say(f"Agreement on {question}")
        say(f"Answers applied: {self.studio.labeling.apply(self.actor, task.id)}")
        self.studio.labeling.close(self.actor, task.id)
        return self._freeze(dataset, "golden set verified by two people")

    def train(self, project: Project, version: DatasetVersion) -> tuple[Model, Model]:
        """Build the tiny base if needed, then LoRA SFT and merge."""
        if self.studio.models.find(project.id, BASE) is None:
            self._watch(self.studio.sample.build_base(self.actor, project.id))
        base = self.studio.models.find(project.id, BASE)
        assert base is not None
        run = self.studio.training.start(self.actor, version.id, base.id, preset=self.preset)
        done = self._watch(self.studio.jobs.get(str(run.job_id)))
        return base, self.studio.models.get(done["model_id"])

    def evaluate(self, project: Project, version: DatasetVersion, base: Model, tuned: Model) -> Evaluation:
        """Teacher, base and tuned on the verified golden examples."""
        teacher = self.studio.sample.teacher(self.actor, project.id)
        evaluation = self.studio.evaluations.start(self.actor, version.id, [teacher.id, base.id, tuned.id])
        self._watch(self.studio.jobs.get(str(evaluation.job_id)))
        return self.studio.evaluations.get(evaluation.id)

    def deploy(self, project: Project, tuned: Model) -> Revision:
        """Gates first; then 20 %, 100 %, undo, and 100 % again; two clients get answers."""
        deployments = self.studio.deployments
        revision: Revision = deployments.deploy(self.actor, project.id, ALIAS, tuned.id)
        self._finish("deploy")
        for percent in (20, 100):
            deployments.shift(self.actor, revision.id, percent, "sample turn")
        deployments.undo(self.actor, revision.deployment_id)
        deployments.shift(self.actor, revision.id, 100, "sample turn, after trying the undo")
        time.sleep(2)  # the gateway reads routes once a second
        self._ask_with_both_clients(project)
        return revision

    def improve(self, project: Project, dataset: Dataset, revision: Revision) -> None:
        """Production feedback on the tuned model beside the teacher's; start the next turn with it."""
        job = self.studio.sample.start(self.actor, self.production_calls, seed=99)
        self._watch(job)
        columns = ("model", "calls", "thumbs up", "thumbs down", "corrections")
        rows = [
            (each.name, each.calls, each.up, each.down, each.corrections)
            for each in self.studio.improve.by_model(project.id)
        ]
        show_table("Production feedback", columns, rows)
        done = self._watch(self.studio.improve.start_next_turn(self.actor, project.id, dataset.id))
        version, taken = self.studio.datasets.version(done["version_id"]), done["taken"]
        say(
            f"Turn {done['number']} starts from version {version.number}: {version.train_rows:,} training examples, "
            f"{taken['corrections']} corrections and {taken['up'] + taken['down']} thumbs taken in."
        )

    def _ask_with_both_clients(self, project: Project) -> None:
        key, secret = self.studio.keys.create(self.actor, project.id, "sample clients")
        messages = prompt(tickets(1, seed=123)[0].text)
        url = self.studio.settings.gateway_url
        by_openai = OpenAI(base_url=f"{url}/v1", api_key=secret).chat.completions.create(
            model=ALIAS,
            messages=messages,  # type: ignore[arg-type]
            temperature=0,
        )
        by_hub = InferenceClient(base_url=url, api_key=secret).chat_completion(
            messages,
            model=ALIAS,
            temperature=0,
            max_tokens=64,
        )
        self.studio.keys.revoke(self.actor, key.id)
        say(f"openai client:          {by_openai.choices[0].message.content}")
        say(f"InferenceClient (TGI):  {by_hub.choices[0].message.content}")

    def _answer(self, task: LabelTask) -> None:
        spec = {"task_id": task.id, "people": list(PEOPLE)}
        job = self.studio.jobs.submit(self.actor, "sample_labels", spec, title="Answer as two teammates")
        say(f"{self._watch(job)['answers']} answers given through Argilla's API from the generator's truth.")

    def _freeze(self, dataset: Dataset, note: str) -> DatasetVersion:
        done = self._watch(self.studio.datasets.freeze(self.actor, dataset.id, note))
        return self.studio.datasets.version(done["version_id"])

    def _finish(self, kind: str) -> None:
        for job in self.studio.jobs.active(None):
            if job.kind == kind:
                self._watch(job)

    def _watch(self, job: Job) -> dict[str, Any]:
        done = watch(self.studio, job)
        if done.status != "succeeded":
            raise StudioError(f"{job.title or job.kind} ended as {done.status}. {done.error or ''}")
        return done.result

    def _step(self, name: str, work: Callable[[], T]) -> T:
        heading(name.capitalize())
        started = time.monotonic()
        done = work()
        self.took[name] = time.monotonic() - started
        return done
