"""Training jobs of every kind of run, carried out for real: chains, a teacher, judges, the same run twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.errors import InvalidInput, NotFound
from studio.evaluate.evaluations import Evaluations
from studio.jobs.context import JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import jobs, recipe
from studio.train.events import series, tail
from studio.train.models import Models
from studio.train.runs import Training
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.integration.train.conftest import COLOURS, LIGHT

pytestmark = pytest.mark.slow
WORDS = [left + right for left in "abcdefghij" for right in "abcdefg"]
SHORT = {"max_steps": 3, "max_length": 64, "batch_size": 4}


@pytest.fixture
def training(database: Database, artifacts: Artifacts, settings: Settings) -> Training:
    return Training(database, artifacts, Jobs(database), settings)


@pytest.fixture
def base(training: Training, base_folder: Path, project: Project, operator: Actor) -> Model:
    digest = training.artifacts.save_folder(base_folder)
    return Models(training.database).register_base(operator, project.id, "small", digest=digest, parameters=50_000)


@pytest.fixture
def version(database: Database, artifacts: Artifacts, project: Project) -> DatasetVersion:
    """Rows that people corrected: answers, pairs and judgements in one."""
    told: dict[str, Any] = {"original_output": "I see.", "output_source": "people", "verified": True}
    rows = [
        make_row(f"The {word} is {colour}.", json.dumps({"light": colour in LIGHT}), **told)
        for word, colour in zip(WORDS, COLOURS * 20, strict=False)
    ]
    golden = [make_row(f"The cup {word} is red.", '{"light": true}', "golden") for word in WORDS[:6]]
    return freeze_rows(database, artifacts, project.id, rows[:60], golden)


@pytest.fixture
def teacher(training: Training, project: Project, operator: Actor, settings: Settings) -> Iterator[Model]:
    """A provider's model that says the colour is nice, and fails on black."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = asked["messages"][-1]["content"]
            reply = {"choices": [{"message": {"role": "assistant", "content": "nice"}}], "usage": {}}
            self.send_response(400 if "black" in text else 200)
            body = json.dumps({"error": "no black"} if "black" in text else reply).encode()
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    providers = Providers(training.database, SecretBox(settings.secrets))
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    provider = providers.save(operator, project.id, "big", url, "sk-secret", ["big"])
    yield Models(training.database).register_provider_model(operator, project.id, provider.id, "big", "big")
    server.shutdown()
    server.server_close()


def carried_out(training: Training, run: TrainingRun) -> Model:
    job = training.jobs.get(str(run.job_id))
    folder = RunFolder.of(training.settings.runs, job.id)
    folder.prepare(1)
    stores = {"settings": training.settings, "database": training.database, "artifacts": training.artifacts}
    context = JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id)
    return Models(training.database).get(jobs.train(context)["model_id"])


def work_of(training: Training, run: TrainingRun) -> Path:
    return RunFolder.of(training.settings.runs, str(run.job_id)).work


def test_a_chain_trains_the_second_method_on_the_first_one_s_model(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = training.start(operator, version.id, base.id, overrides=SHORT, then="dpo", then_overrides=SHORT)
    (second,) = training.chain_of(first.id)
    with pytest.raises(NotFound, match="run before this one"):
        carried_out(training, second)
    learned = carried_out(training, first)
    preferring = carried_out(training, second)
    assert (learned.parent_id, preferring.parent_id) == (base.id, learned.id)
    assert training.get(second.id).base_model_id == learned.id and preferring.facts["method"] == "dpo"
    assert training.get(second.id).failure == {}, "the failure of the early attempt is history"
    assert (work_of(training, second) / "data/golden.jsonl").exists()
    done = training.reproduce(operator, second.id)
    assert done.base_model_id == learned.id


def test_the_same_seed_gives_the_same_losses_and_a_clone_of_the_text_too(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    first = training.start(operator, version.id, base.id, overrides=SHORT | {"seed": 3})
    again = training.reproduce(operator, first.id)
    typed = training.start_recipe(operator, base.project_id, version.id, base.id, training.recipe_text(first))
    losses = []
    digests = []
    for run in (first, again, typed):
        digests.append(carried_out(training, run).digest)
        losses.append(series(tail(work_of(training, run) / recipe.EVENTS)[0], "loss"))
    assert losses[0] and losses[0] == losses[1] == losses[2]
    weights = [training.artifacts.manifest(digest)["files"]["model.safetensors"] for digest in digests]
    assert weights[0] == weights[1] == weights[2]


def test_a_reward_model_is_registered_as_one_and_kept_out_of_answering(
    training: Training, version: DatasetVersion, base: Model, operator: Actor, artifacts: Artifacts, settings: Settings
) -> None:
    judge = carried_out(training, training.start(operator, version.id, base.id, method="reward", overrides=SHORT))
    assert judge.kind == "reward" and judge.facts["golden"] == {"prompts": []}
    with pytest.raises(InvalidInput, match="judges answers"):
        training.plan(version.id, judge.id)
    with pytest.raises(InvalidInput, match="judges answers"):
        Evaluations(training.database, artifacts, training.jobs).start(operator, version.id, [judge.id])
    with pytest.raises(InvalidInput, match="judges answers"):
        Deployments(training.database, artifacts, training.jobs, settings).deploy(
            operator, base.project_id, "alias", judge.id
        )


def test_a_teacher_answers_again_and_its_failures_are_counted(
    training: Training, version: DatasetVersion, base: Model, teacher: Model, operator: Actor
) -> None:
    run = training.start(operator, version.id, base.id, method="distil", overrides=SHORT)
    assert carried_out(training, run).facts["method"] == "distil"
    lines = [json.loads(line) for line in (work_of(training, run) / "data/train.jsonl").read_text().splitlines()]
    assert {line["completion"][0]["content"] for line in lines} == {"nice"}
    told = training.get(run.id).summary["teacher"]
    assert (told["name"], told["answered"], told["failed"]) == ("big", 50, 10)
    assert "no black" in told["first_errors"][0]


def test_what_must_not_be_forgotten_is_laid_out_and_a_name_taken_meanwhile_loses_no_run(
    training: Training, version: DatasetVersion, base: Model, operator: Actor, project: Project, database: Database
) -> None:
    kept = freeze_rows(database, training.artifacts, project.id, [make_row("old task", "old answer")], [], "old")
    run = training.start(operator, version.id, base.id, overrides=SHORT | {"keep_version_id": kept.id})
    Models(database).register_base(operator, project.id, run.name, digest=base.digest)
    assert carried_out(training, run).name == f"{run.name}-2"
    line = json.loads((work_of(training, run) / "data/keep.jsonl").read_text())
    assert line["completion"] == [{"role": "assistant", "content": "old answer"}]


def test_why_a_run_failed_is_kept_on_the_run(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    run = training.start(operator, version.id, base.id, overrides=SHORT)
    training.artifacts.fs.rm(training.artifacts.root, recursive=True)
    with pytest.raises(NotFound):
        carried_out(training, run)
    failure = training.get(run.id).failure
    assert {"rule", "cause", "evidence", "fix", "log_line"} <= failure.keys() and failure["cause"]
