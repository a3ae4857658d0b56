"""A turn takes in what people said since the last one, freezes it, and is recorded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, Deployment, LogEntry, Model, Project, Revision
from studio.access.actor import Actor
from studio.capture.feedback import FeedbackIntake
from studio.curate.datasets import Datasets
from studio.curate.snapshot import read_version
from studio.errors import Conflict, NotAllowed
from studio.improve.jobs import next_turn
from studio.improve.turns import Improve
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings

COLOURS = ("amber", "azure", "black", "blond", "brown", "coral", "cream", "green")


@pytest.fixture
def datasets(database: Database, artifacts: Artifacts) -> Datasets:
    return Datasets(database, artifacts, Jobs(database))


@pytest.fixture
def improve(database: Database, datasets: Datasets) -> Improve:
    return Improve(database, Jobs(database), datasets)


@pytest.fixture
def calls(database: Database, project: Project) -> list[LogEntry]:
    """Eight calls, the last four answered by a deployed revision."""
    with database.write() as session:
        model = Model(project_id=project.id, name="small", kind="tuned")
        deployment = Deployment(project_id=project.id, alias="triage")
        session.add_all([model, deployment])
        session.flush()
        revision = Revision(deployment_id=deployment.id, model_id=model.id, number=1)
        session.add(revision)
        session.flush()
        entries = [
            LogEntry(
                project_id=project.id,
                model="triage",
                served_model="small-r1" if number >= 4 else "big",
                revision_id=revision.id if number >= 4 else None,
                deployment_id=deployment.id,
                messages=[{"role": "user", "content": colour}],
                reply={"role": "assistant", "content": f"said {colour}"},
                cost_usd=0.0 if number >= 4 else 0.002,
                latency_ms=50.0,
            )
            for number, colour in enumerate(COLOURS)
        ]
        session.add_all(entries)
    return entries


@pytest.fixture
def dataset(datasets: Datasets, project: Project, operator: Actor, calls: list[LogEntry]) -> Dataset:
    made = datasets.create(operator, project.id, "tickets")
    datasets.add_entries(operator, made.id, calls[:6])
    return made


@pytest.fixture
def give(database: Database, project: Project) -> Callable[..., Any]:
    intake = FeedbackIntake(database)
    return lambda entry, **what: intake.give(project.id, uid=entry.uid, **what)


@pytest.fixture
def take(
    database: Database, artifacts: Artifacts, settings: Settings, tmp_path: Path, project: Project, dataset: Dataset
) -> Callable[[str], dict[str, Any]]:
    def run(job_id: str) -> dict[str, Any]:
        spec = {"project_id": project.id, "dataset_id": dataset.id}
        return next_turn(JobContext(job_id, 1, "next_turn", spec, tmp_path, settings, database, artifacts))

    return run


def test_feedback_of_each_served_model_stands_under_its_name(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any
) -> None:
    give(calls[0], kind="thumbs", value=0)
    give(calls[5], kind="thumbs", value=1)
    give(calls[6], kind="correction", text="better")
    found = {each.name: each for each in improve.by_model(project.id)}
    assert found.keys() == {"big", "small"}
    assert (found["big"].calls, found["big"].down, found["big"].rate) == (4, 1, 0.0)
    assert (found["small"].up, found["small"].corrections, found["small"].revision) == (1, 1, 1)
    assert improve.savings(project.id)[0].saved_usd == pytest.approx(0.008)


def test_a_turn_brings_corrections_and_ratings_into_a_new_version(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any, take: Any, datasets: Datasets,
    dataset: Dataset, artifacts: Artifacts,
) -> None:  # fmt: skip
    give(calls[1], kind="correction", text="corrected azure", given_by="ana")
    give(calls[2], kind="thumbs", value=0)
    give(calls[7], kind="thumbs", value=1)
    assert improve.waiting(project.id).calls == 3
    done = take("job-1")
    assert done["number"] == 1
    assert {key: done["taken"][key] for key in ("calls", "up", "down", "corrections", "new", "updated")} == {
        "calls": 3, "up": 1, "down": 1, "corrections": 1, "new": 1, "updated": 2,
    }  # fmt: skip
    data = read_version(artifacts, datasets.version(done["version_id"]).digest)
    outputs = {row.messages[0]["content"]: row for row in data.train + data.golden}
    assert outputs["azure"].output == "corrected azure"
    assert outputs["azure"].verified is (outputs["azure"].split == "train")
    assert "black" not in outputs and outputs["green"].rating == "up" and not outputs["green"].verified


def test_the_same_job_run_twice_makes_one_turn(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any, take: Any
) -> None:
    give(calls[0], kind="correction", text="better")
    assert take("job-1") == take("job-1")
    assert len(improve.turns(project.id)) == 1


def test_the_next_turn_takes_only_what_came_since(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any, take: Any
) -> None:
    give(calls[0], kind="correction", text="better")
    take("job-1")
    assert improve.waiting(project.id).calls == 0
    give(calls[7], kind="thumbs", value=1)
    second = take("job-2")
    assert (second["number"], second["taken"]["calls"], second["taken"]["new"]) == (2, 1, 1)


def test_a_turn_is_not_started_without_new_feedback_or_by_a_viewer(
    improve: Improve,
    project: Project,
    dataset: Dataset,
    calls: list[LogEntry],
    give: Any,
    operator: Actor,
    viewer: Actor,
) -> None:
    with pytest.raises(Conflict, match="No feedback yet"):
        improve.start_next_turn(operator, project.id, dataset.id)
    give(calls[0], kind="comment", text="nice")
    with pytest.raises(Conflict):
        improve.start_next_turn(operator, project.id, dataset.id)
    give(calls[0], kind="thumbs", value=1)
    with pytest.raises(NotAllowed):
        improve.start_next_turn(viewer, project.id, dataset.id)
    job = improve.start_next_turn(operator, project.id, dataset.id)
    assert (job.kind, job.spec["dataset_id"]) == ("next_turn", dataset.id)


def test_the_stream_shows_the_newest_feedback_with_its_call(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any
) -> None:
    give(calls[0], kind="thumbs", value=1)
    give(calls[1], kind="comment", text="too long")
    found = improve.stream(project.id)
    assert [(said.kind, entry.served_model) for said, entry in found] == [("comment", "big"), ("thumbs", "big")]


def test_what_to_do_next_follows_from_what_people_said(
    improve: Improve, project: Project, calls: list[LogEntry], give: Any
) -> None:
    assert improve.next_steps(project.id) == []
    give(calls[0], kind="thumbs", value=1)
    assert [step.page for step in improve.next_steps(project.id)] == ["improve"]
