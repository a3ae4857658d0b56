"""The jobs of curation on real logs: filtered, cancelled half-way, resumed, frozen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import Dataset, Project
from studio.access.actor import Actor
from studio.capture.filters import LogFilter
from studio.curate.datasets import Datasets
from studio.curate.jobs import add_logs, freeze
from studio.curate.snapshot import read_version
from studio.errors import InvalidInput
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings

CALLS = 1400


@pytest.fixture
def datasets(database: Database, artifacts: Artifacts) -> Datasets:
    return Datasets(database, artifacts, Jobs(database))


@pytest.fixture
def dataset(datasets: Datasets, project: Project, operator: Actor) -> Dataset:
    return datasets.create(operator, project.id, "tickets")


@pytest.fixture
def calls(database: Database, project: Project) -> None:
    """Calls of which every seventh repeats an earlier prompt and every hundredth failed."""
    with database.write() as session:
        LogEntryRepository(session).insert([_call(project.id, number) for number in range(CALLS)])


def _call(project_id: str, number: int) -> dict[str, Any]:
    letters = "".join("abcdefghij"[int(digit)] for digit in str(number - 1 if number % 7 == 6 else number))
    return {
        "uid": f"call{number}",
        "project_id": project_id,
        "model": "triage",
        "status": "error" if number % 100 == 99 else "ok",
        "messages": [{"role": "user", "content": f"ticket {letters}"}],
        "reply": {"role": "assistant", "content": json.dumps({"n": number})},
        "tags": {"feature": "triage" if number % 2 else "other"},
    }


@pytest.fixture
def context(database: Database, artifacts: Artifacts, settings: Settings, tmp_path: Path) -> Callable[..., JobContext]:
    def make(spec: dict[str, Any], stop_after: int | None = None, reports: list[float] | None = None) -> JobContext:
        seen = [] if reports is None else reports
        return JobContext(
            "job", 1, "add_logs", spec, tmp_path, settings, database, artifacts, created_by="ana",
            on_report=lambda progress, _text: seen.append(progress),
            stop_asked=lambda: stop_after is not None and len(seen) >= stop_after,
        )  # fmt: skip

    return make


def test_logs_are_added_in_batches_with_progress_and_a_cancelled_job_loses_nothing(
    calls: None, context: Callable[..., JobContext], datasets: Datasets, dataset: Dataset, project: Project
) -> None:
    spec = {"dataset_id": dataset.id, "filter": LogFilter(project.id).to_dict()}
    with pytest.raises(JobCancelled):
        add_logs(context(spec, stop_after=1))
    half = datasets.summary(dataset.id)
    assert half.included + half.left_out == 500
    reports: list[float] = []
    done = add_logs(context(spec, reports=reports))
    assert (done["seen"], done["new"], done["unchanged"]) == (CALLS, CALLS - 500, 500)
    assert reports == sorted(reports) and len(reports) == 3
    whole = datasets.summary(dataset.id)
    assert whole.included + whole.left_out == CALLS
    assert whole.excluded["error"] == CALLS // 100 and whole.excluded["duplicate"] > 150
    assert add_logs(context(spec))["unchanged"] == CALLS


def test_only_the_calls_of_the_filter_are_added(
    calls: None, context: Callable[..., JobContext], dataset: Dataset, project: Project
) -> None:
    chosen = LogFilter(project.id, tags=(("feature", "triage"),), statuses=("ok",))
    done = add_logs(context({"dataset_id": dataset.id, "filter": chosen.to_dict()}))
    assert done["seen"] == CALLS // 2 - CALLS // 100
    with pytest.raises(InvalidInput, match="filter"):
        add_logs(context({"dataset_id": dataset.id, "filter": {"colour": "red"}}))


def test_a_version_is_frozen_by_a_job_in_the_name_of_whoever_asked(
    calls: None, context: Callable[..., JobContext], datasets: Datasets, dataset: Dataset, project: Project,
    artifacts: Artifacts, operator: Actor,
) -> None:  # fmt: skip
    add_logs(context({"dataset_id": dataset.id, "filter": LogFilter(project.id).to_dict()}))
    first = freeze(context({"dataset_id": dataset.id, "note": "first"}))
    again = freeze(context({"dataset_id": dataset.id, "note": "again"}))
    version = datasets.version(first["version_id"])
    assert (version.created_by, version.note, first["is_new"]) == ("ana", "first", True)
    assert (again["version_id"], again["is_new"]) == (version.id, False)
    data = read_version(artifacts, version.digest)
    assert len({row.prompt_hash for row in data.train + data.golden}) == version.train_rows + version.golden_rows
    assert 0.05 < version.golden_rows / (version.train_rows + version.golden_rows) < 0.16


def test_verbs_put_jobs_with_their_specs_in_the_queue(
    datasets: Datasets, dataset: Dataset, project: Project, operator: Actor
) -> None:
    adding = datasets.add_logs(operator, dataset.id, LogFilter(project.id, text="late"))
    freezing = datasets.freeze(operator, dataset.id, "first")
    assert adding.kind == "add_logs" and LogFilter.from_dict(adding.spec["filter"]).text == "late"
    assert (freezing.kind, freezing.spec["note"], freezing.project_id) == ("freeze", "first", project.id)
