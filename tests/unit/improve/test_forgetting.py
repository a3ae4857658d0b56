"""A user who is forgotten is gone from every table, file and frozen version; everybody else stays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel, select

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.privacy import PseudonymRepository
from storage.tables import (
    AuditEvent,
    Dataset,
    DatasetVersion,
    Deployment,
    Evaluation,
    EvaluationOutput,
    Example,
    Job,
    LogEntry,
    LogHour,
    Model,
    Person,
    Project,
    Pseudonym,
    Revision,
    ShadowPair,
    TrainingRun,
)
from storage.types import now
from studio.access.actor import Actor, Role
from studio.access.secrets import SecretBox
from studio.capture.drain import Drain
from studio.capture.held import Held
from studio.capture.journal import Journal
from studio.capture.privacy.keeping import fresh_cleaner
from studio.capture.privacy.retention import delete_old
from studio.capture.privacy.service import Privacy
from studio.capture.record import FEEDBACK, Record
from studio.capture.recorder import Recorder
from studio.capture.segments import DAMAGED, KEPT, segments
from studio.curate.datasets import Datasets
from studio.curate.freeze import freeze
from studio.curate.snapshot import read_version
from studio.deploy.forget import FORGOTTEN, forget_in_revisions
from studio.errors import NotAllowed
from studio.improve.forgetting import forget_user
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.label.draft import TaskDraft
from studio.label.publishing import publish_task
from studio.label.tasks import Labeling
from studio.settings import Settings
from studio.train.forget import forget_in_runs
from tests.fakes.labeling import FakePlatform

BOB, ANA = "bob@acme.com", "ana-7"
ABOUT = (
    "amber lamps that flicker",
    "black coffee without sugar",
    "a coral reef on Tuesday",
    "green shoes in size nine",
)
MORE = ("tickets to the opera", "rain on an empty stadium", "how to peel an onion", "the price of violins in Rome")


class World:
    """A project whose calls went the whole way round."""

    def __init__(self, database: Database, artifacts: Artifacts, settings: Settings, project: Project) -> None:
        self.database, self.artifacts, self.settings, self.project = database, artifacts, settings, project
        self.operator, self.jobs, self.platform = Actor.operator(), Jobs(database), FakePlatform()
        with database.write() as session:
            session.add(Person(username="mia", role="labeler"))
        self.privacy = Privacy(database, SecretBox(settings.secrets), self.jobs)
        self.labeling = Labeling(database, self.jobs, lambda: self.platform, settings)

    def record(self, user: str, numbers: range) -> None:
        """Calls of a user through the recorder, their feedback, and the drain."""
        journal = Journal(self.settings.journal)
        recorder = Recorder(journal, fresh_cleaner(self.settings.secrets, self.database))
        name = user.partition("@")[0].partition("-")[0]
        for number in numbers:
            uid = f"{name}-{number}"
            about = (ABOUT if user == BOB else MORE)[number]
            text = f"{about}: secret of {name}, reach {name}@home.example"
            request = {"model": "m", "messages": [{"role": "user", "content": text}], "user": user}
            choice = {"index": 0, "message": {"role": "assistant", "content": f"hello {name} {number}"}}
            reply = {"id": uid, "choices": [{**choice, "finish_reason": "stop"}]}
            facts = {"uid": uid, "at": time.time(), "project_id": self.project.id, "model": "m"}
            recorder.call(facts, json.dumps(request).encode(), json.dumps(reply).encode())
            said = {"uid": uid, "kind": "comment", "text": f"{name} was pleased"}
            recorder.feedback(f"f{uid}", time.time(), self.project.id, said)
        journal.close()
        Drain(self.database, self.settings.journal).once()

    def go_round(self) -> None:
        """Dataset, labeling, version, model, evaluation and shadow."""
        datasets = Datasets(self.database, self.artifacts, self.jobs)
        self.dataset = datasets.create(self.operator, self.project.id, "tickets", golden_percent=50)
        with self.database.read() as session:
            entries = list(session.exec(select(LogEntry)))
        datasets.add_entries(self.operator, self.dataset.id, entries)
        draft = TaskDraft(self.dataset.id, name="Look", size=99, people=("mia",), answers_per_item=1)
        task = self.labeling.create(self.operator, draft)
        self.task = publish_task(self.database, self.platform, task.id, lambda _sent, _total: None)
        for item, _example in self.labeling.items(self.task.id):
            self.platform.say(self.task.backend_ref, "mia", item.id, "submitted", {"verdict": "correct"})
        self.labeling.sync(self.task.id)
        self.version = freeze(self.database, self.artifacts, self.dataset.id, "first", "test").version
        self._learn_and_measure(entries)

    def _learn_and_measure(self, entries: list[LogEntry]) -> None:
        with self.database.write() as session:
            base = Model(project_id=self.project.id, name="base", kind="base")
            session.add(base)
            session.flush()
            facts = {"project_id": self.project.id, "dataset_version_id": self.version.id}
            run = TrainingRun(**facts, base_model_id=base.id, name="run")
            session.add(run)
            session.flush()
            tuned = Model(project_id=self.project.id, name="small", kind="tuned", training_run_id=run.id)
            evaluation, deployment = (
                Evaluation(**facts, name="compare"),
                Deployment(project_id=self.project.id, alias="a"),
            )
            session.add_all([tuned, evaluation, deployment])
            session.flush()
            revision = Revision(deployment_id=deployment.id, model_id=tuned.id, number=1)
            session.add(revision)
            session.flush()
            for example in session.exec(select(Example)):
                session.add(
                    EvaluationOutput(
                        evaluation_id=evaluation.id, model_id=tuned.id, example_id=example.id, output=example.output
                    )
                )
            for entry in entries:
                told = {"log_uid": entry.uid, "live_text": entry.reply_text, "shadow_text": entry.reply_text}
                session.add(ShadowPair(deployment_id=deployment.id, revision_id=revision.id, live_route="m", **told))

    def leave_traces(self) -> None:
        """Files: waiting feedback, a drained segment that is kept, an unreadable piece, an upload."""
        folder = self.settings.journal
        said = {"uid": "bob-0", "kind": "comment", "text": "late word about bob"}
        for uid, told in (("w1", said), ("w2", {**said, "uid": "later", "text": "of somebody"})):
            meta = {"kind": FEEDBACK, "uid": uid, "at": time.time(), "project_id": self.project.id, "feedback": told}
            Held(folder / "held").put(Record(meta))
        for user in (BOB, ANA):
            journal = Journal(folder)
            meta = {"uid": f"{user}-kept", "at": 1.0, "project_id": self.project.id, "user_id": user}
            journal.append(
                Record(meta, b'{"messages": [{"role": "user", "content": "kept of ' + user.encode() + b'"}]}').pack()
            )
            journal.append(Record({**meta, "uid": f"{len(user)}", "user_id": ANA}, b'{"of": "ana"}').pack())
            journal.close()
            for segment in segments(folder):
                segment.keep()
        (folder / DAMAGED).mkdir()
        (folder / DAMAGED / "piece").write_bytes(b"half of bob")
        upload = self.settings.root / "uploads" / "one"
        upload.mkdir(parents=True)
        (upload / "about.json").write_text(json.dumps({"project_id": self.project.id}))
        (upload / "file").write_text("bob bob bob")

    def forget(self, user: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        job = self.privacy.forget_user(self.operator, self.project.id, user)
        return self.work(job.id, job.spec, folder, stop)

    def work(self, job_id: str, spec: dict[str, Any], folder: Path, stop: Callable[[], bool]) -> dict[str, Any]:
        context = JobContext(
            job_id, 1, "forget_user", spec, folder, self.settings, self.database, self.artifacts, stop_asked=stop
        )
        return forget_user(context, lambda: self.platform)

    def traces(self, word: str) -> list[str]:
        """Tables and files in which a word still stands."""
        with self.database.read() as session:
            rows = [
                table.name
                for table in SQLModel.metadata.sorted_tables
                for row in session.execute(table.select())
                if word in str(tuple(row))
            ]
        files = [path for path in self.settings.root.rglob("*") if path.is_file() and "studio.db" not in path.name]
        rows += [str(path) for path in files if word.encode() in path.read_bytes()]
        for version in self.all(DatasetVersion):
            data = read_version(self.artifacts, version.digest)
            rows += [f"version {version.number}" for row in data.train + data.golden if word in str(row)]
        return rows

    def all(self, table: type[Any]) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table)))


@pytest.fixture
def world(database: Database, artifacts: Artifacts, settings: Settings, project: Project) -> World:
    made = World(database, artifacts, settings, project)
    made.privacy.save(Actor.operator(), project.id, detectors=("email",), pseudonyms=True)
    made.record(BOB, range(4))
    made.record(ANA, range(4))
    return made


def test_nothing_of_a_forgotten_user_is_left_anywhere_and_the_report_is_exact(world: World, tmp_path: Path) -> None:
    world.go_round()
    world.leave_traces()
    old = world.version.digest
    assert world.traces("secret of bob") and world.traces("bob was pleased")
    examples = len(world.all(Example))
    report = world.forget(BOB, tmp_path / "job")
    assert report["calls"] == 4 and report["examples"] == 4 and report["evaluation_outputs"] == 4
    assert (report["label_items"], report["platform_records"]) == (4, 4)
    assert (report["held"], report["journal"], report["damaged"], report["uploads"]) == (1, 1, 1, 1)
    assert [each["number"] for each in report["versions"]] == [1]
    assert [each["name"] for each in report["models_that_learned"]] == ["small"]
    assert report["pseudonyms"] == 2 and report["journal_files_left"] == 0
    for word in ("secret of bob", "hello bob", "bob was pleased", "kept of bob", "word about bob", "bob bob", BOB):
        assert world.traces(word) == []
    assert len(world.all(Example)) == examples - 4
    assert not world.artifacts.exists(old) and not (tmp_path / "job" / "forgetting.json").exists()


def leave_what_training_and_gates_keep(world: World, finished: bool) -> Path:
    """A card, a certificate, and the folder of a run, as they quote rows of the version."""
    text = "secret of bob"
    sample = {"prompt": text, "expected": text, "answer": text}
    row = {"prompt": text, "tuned_text": text, "served": [1]}
    golden = {"prompts": 2, "matches": 1, "rows": [row], "first_divergence": row, "why": f"of “{text}”"}
    smoke = {"note": "none were set", "prompt": text, "answer": text, "rows": [row]}
    with world.database.write() as session:
        job = Job(kind="train", title="run", finished_at=now() if finished else None)
        session.add(job)
        session.flush()
        run = session.exec(select(TrainingRun)).one()
        run.job_id, run.card = job.id, {"sentence": "It learned.", "fails": [sample]}
        revision = session.exec(select(Revision)).one()
        revision.certificate = [
            {"gate": "golden", "passed": False, "evidence": golden, "at": "t"},
            {"gate": "smoke", "passed": True, "evidence": smoke, "at": "t"},
        ]
        model = session.exec(select(Model).where(Model.kind == "tuned")).one()
        proofs = [{"messages": each.messages, "text": "rendered"} for each in session.exec(select(Example))]
        model.facts = {"golden": {"ends": [2], "prompts": proofs}}
        session.add_all([run, revision, model])
        folder = RunFolder.of(world.settings.runs, job.id).work
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.jsonl").write_text(json.dumps({"prompt": text}))
    events = [{"kind": "log", "loss": 0.5}, {"kind": "sample", "step": 1, **sample}]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def test_cards_certificates_and_rows_laid_out_for_runs_lose_texts_and_keep_figures(
    world: World, tmp_path: Path
) -> None:
    world.go_round()
    folder = leave_what_training_and_gates_keep(world, finished=True)
    world.forget(BOB, tmp_path / "job")
    assert world.traces("secret of bob") == []
    assert world.all(TrainingRun)[0].card == {"sentence": "It learned.", "fails": []}
    golden, smoke = world.all(Revision)[0].certificate
    assert golden["evidence"] == {"prompts": 2, "matches": 1, "why": FORGOTTEN} and golden["passed"] is False
    assert smoke["evidence"] == {"note": "none were set"} and smoke["passed"] is True
    [proven] = [model.facts["golden"] for model in world.all(Model) if model.facts]
    assert proven["ends"] == [2] and len(proven["prompts"]) == 4 and "secret of ana" in str(proven)
    assert not (folder / "data").exists()
    assert (folder / "events.jsonl").read_text() == json.dumps({"kind": "log", "loss": 0.5}) + "\n"
    version = world.all(DatasetVersion)[0].id
    assert forget_in_revisions(world.database, version) == 0
    assert forget_in_runs(world.database, world.settings, version) == 1 and world.traces("secret of bob") == []


def test_a_run_that_goes_on_keeps_the_files_it_reads(world: World, tmp_path: Path) -> None:
    world.go_round()
    folder = leave_what_training_and_gates_keep(world, finished=False)
    world.forget(BOB, tmp_path / "job")
    assert (folder / "data" / "train.jsonl").exists() and world.all(TrainingRun)[0].card["fails"] == []


def test_runs_on_versions_without_the_user_keep_everything(world: World, tmp_path: Path) -> None:
    world.go_round()
    leave_what_training_and_gates_keep(world, finished=True)
    world.forget("somebody else", tmp_path / "job")
    assert world.all(TrainingRun)[0].card["fails"] and "rows" in world.all(Revision)[0].certificate[0]["evidence"]


def test_everybody_else_stays_and_the_version_says_what_happened(world: World, tmp_path: Path) -> None:
    world.go_round()
    world.leave_traces()
    world.forget(BOB, tmp_path)
    assert [row.user_id for row in world.all(LogEntry)] == [ANA] * 4
    assert len(world.all(ShadowPair)) == len(world.all(EvaluationOutput)) == 4
    assert sum(row.calls for row in world.all(LogHour)) == 4
    assert len(world.platform.items[world.task.backend_ref]) == 4
    version = world.all(DatasetVersion)[0]
    data = read_version(world.artifacts, version.digest)
    assert (version.train_rows, version.golden_rows) == (len(data.train), len(data.golden))
    assert len(data.train) + len(data.golden) == 4 and "taken out" in version.note
    assert version.verified_golden_rows == len(data.verified_golden)
    kept = [Record.unpack(payload) for each in segments(world.settings.journal / KEPT) for payload, _ in each.frames(0)]
    assert {record.meta["user_id"] for record in kept} == {ANA} and len(kept) == 3
    assert world.traces("of somebody")


def test_what_still_lies_in_the_journal_never_arrives(world: World, tmp_path: Path) -> None:
    journal = Journal(world.settings.journal)
    for uid, user, at in (("late", "ana-7", time.time() - 5), ("new", "ana-7", time.time() + 3600)):
        body = json.dumps({"model": "m", "messages": [], "user": user}).encode()
        journal.append(Record({"uid": uid, "at": at, "project_id": world.project.id}, body, b"{}").pack())
    report = world.forget(ANA, tmp_path)
    assert report["calls"] == 4 and report["journal_files_left"] == 1
    journal.close()
    Drain(world.database, world.settings.journal).once()
    assert {row.uid for row in world.all(LogEntry) if row.user_id == ANA} == {"new"}
    assert ANA not in (world.settings.journal / "forgotten.json").read_text()


def test_a_job_that_was_stopped_in_the_middle_goes_on_and_reports_everything(world: World, tmp_path: Path) -> None:
    world.go_round()
    job = world.privacy.forget_user(world.operator, world.project.id, BOB)
    asked = iter([False, True])
    with pytest.raises(JobCancelled):
        world.work(job.id, job.spec, tmp_path, lambda: next(asked))
    assert world.all(LogEntry) and [row for row in world.all(LogEntry) if row.user_id == ANA]
    report = world.work(job.id, job.spec, tmp_path, lambda: False)
    assert (report["calls"], report["examples"], report["pseudonyms"]) == (4, 4, 2)
    assert world.traces("secret of bob") == []


def test_the_trail_and_the_job_name_the_user_only_by_a_mark(world: World, tmp_path: Path) -> None:
    job = world.privacy.forget_user(world.operator, world.project.id, ANA)
    assert ANA not in str(job.spec) + job.title
    world.work(job.id, job.spec, tmp_path, lambda: False)
    after = world.jobs.get(job.id)
    assert "sealed" not in after.spec and after.spec["user"].startswith("user:")
    told = [row for row in world.all(AuditEvent) if row.what == "forgot a user"]
    assert told[0].noun == after.spec["user"] and told[0].detail["calls"] == 4
    assert world.work(job.id, after.spec, tmp_path, lambda: False) == {}


def test_only_an_admin_may_have_a_user_forgotten(world: World, sign_in: Callable[[Role], Actor]) -> None:
    with pytest.raises(NotAllowed):
        world.privacy.forget_user(sign_in(Role.EDITOR), world.project.id, BOB)


def test_old_calls_go_but_the_examples_made_of_them_stay_and_can_still_be_forgotten(
    world: World, tmp_path: Path
) -> None:
    world.go_round()
    world.privacy.save(world.operator, world.project.id, retention_days=1)
    assert delete_old(world.database, world.settings) == 0
    with world.database.write() as session:
        for row in session.exec(select(LogEntry).where(LogEntry.user_id == ANA)):
            row.created_at = now().replace(year=2020)
            session.add(row)
    assert delete_old(world.database, world.settings) == 4
    assert len(world.all(Example)) == 8 and len(world.all(LogEntry)) == 4
    report = world.forget(ANA, tmp_path)
    assert (report["calls"], report["examples"]) == (0, 4)
    assert world.traces("secret of ana") == []


def test_pseudonyms_are_known_until_their_user_is_forgotten(world: World, database: Database, tmp_path: Path) -> None:
    before = {row.token for row in world.all(Pseudonym)}
    assert len(before) == 3  # two addresses at home, and Bob's id
    with database.write() as session:
        PseudonymRepository(session).keep(world.project.id, {"email:abcdefghijkl": {"kind": "email", "sealed": "x"}})
    world.forget(BOB, tmp_path)
    assert len(world.all(Pseudonym)) == 2 and world.all(Dataset) == []
