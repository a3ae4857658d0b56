"""The evaluate job with real parts: a provider over HTTP and weights on this machine, resumed and cancelled."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.evaluations import EvaluationOutputRepository
from storage.tables import Dataset, DatasetVersion, EvaluationOutput, LogEntry, Model, Project
from studio.access.actor import Actor, Role
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.curate.datasets import Datasets
from studio.errors import InvalidInput, NotAllowed, Unavailable
from studio.evaluate.evaluations import Evaluations
from studio.evaluate.generators import Bench, Prompt
from studio.evaluate.generators.provider import ProviderGenerator
from studio.evaluate.jobs import evaluate
from studio.evaluate.verdict import find_comparison, verdicts
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.tiny_model import make_model, make_tokenizer

WORDS = ("amber", "birch", "cedar", "dahlia", "elm", "fern", "ginger", "hazel")


def truth(text: str) -> str:
    return json.dumps({"category": "billing" if "amber" in text else "returns", "size": len(text) % 3})


@dataclass
class Upstream:
    """An OpenAI-compatible server that answers well, except as it is told."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    """Answered in turn before any good answer."""
    strict_temperature: bool = False
    broken: bool = False
    url: str = ""

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(body)
        if self.statuses:
            return self.statuses.pop(0), {"error": {"message": "try later"}}
        if self.strict_temperature and "temperature" in body:
            return 400, {"error": {"message": "Unsupported parameter: temperature"}}
        text = body["messages"][-1]["content"]
        content = truth(text) if not self.broken else truth(text)[:-1]
        usage = {"prompt_tokens": 100, "completion_tokens": 50}
        return 200, {"choices": [{"message": {"role": "assistant", "content": content}}], "usage": usage}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.keys.add(self.headers.get("authorization", ""))
            status, body = state.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            if status == 429:
                self.send_header("retry-after", "0.01")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def evaluations(database: Database, artifacts: Artifacts) -> Evaluations:
    return Evaluations(database, artifacts, Jobs(database))


@pytest.fixture
def version(database: Database, artifacts: Artifacts, project: Project, operator: Actor) -> DatasetVersion:
    """40 golden tickets, 30 of them confirmed by a person."""
    datasets = Datasets(database, artifacts, Jobs(database))
    with database.write() as session:
        dataset = Dataset(project_id=project.id, name="tickets", golden_percent=100)
        texts = [f"The {a} {b} arrived" for a in WORDS for b in WORDS][:40]
        entries = [
            LogEntry(
                project_id=project.id,
                messages=[{"role": "user", "content": text}],
                reply={"role": "assistant", "content": truth(text)},
            )
            for text in texts
        ]
        session.add_all([dataset, *entries])
    datasets.add_entries(operator, dataset.id, entries)
    for row in datasets.examples(dataset.id, limit=30):
        datasets.set_output(operator, row.id, row.output)
    return datasets.freeze_now(operator, dataset.id)


@pytest.fixture
def teacher(database: Database, settings: Settings, project: Project, operator: Actor, upstream: Upstream) -> Model:
    providers = Providers(database, SecretBox(settings.secrets))
    prices = {"big": {"prompt": 2.0, "completion": 8.0}}
    provider = providers.save(operator, project.id, "up", upstream.url, "sk-secret", ["big"], prices)
    with database.write() as session:
        model = Model(
            project_id=project.id, name="teacher", kind="provider", provider_id=provider.id, provider_model="big"
        )
        session.add(model)
    return model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    make_model(folder, make_tokenizer(), seed=1)
    return folder


@pytest.fixture
def base(database: Database, artifacts: Artifacts, project: Project, weights: Path) -> Model:
    with database.write() as session:
        model = Model(project_id=project.id, name="base", kind="base", digest=artifacts.save_folder(weights))
        session.add(model)
    return model


@pytest.fixture
def run_job(
    database: Database, artifacts: Artifacts, settings: Settings, tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], list[float]]]:
    def run(evaluation_id: str, stop_after: int | None = None) -> tuple[dict[str, Any], list[float]]:
        reports: list[float] = []
        context = JobContext(
            "job", 1, "evaluate", {"evaluation_id": evaluation_id}, tmp_path, settings, database, artifacts,
            on_report=lambda progress, _text: reports.append(progress),
            stop_asked=lambda: stop_after is not None and len(reports) >= stop_after,
        )  # fmt: skip
        return evaluate(context), reports

    return run


def outputs(database: Database, evaluation_id: str) -> list[EvaluationOutput]:
    with database.read() as session:
        return EvaluationOutputRepository(session).of(evaluation_id)


@pytest.mark.slow
def test_a_provider_and_a_base_model_are_compared_with_intervals_cost_and_latency(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, base: Model, operator: Actor, run_job: Any,
    upstream: Upstream,
) -> None:  # fmt: skip
    started = evaluations.start(operator, version.id, [teacher.id, base.id])
    result, reports = run_job(started.id)
    assert result["n"] == 30 and reports[-1] == 1.0 and reports == sorted(reports)
    done = evaluations.get(started.id)
    good, weak = done.summary["models"][teacher.id], done.summary["models"][base.id]
    assert done.finished_at is not None and (good["n"], weak["n"]) == (30, 30)
    assert good["exact_match"] == {"mean": 1.0, "low": pytest.approx(0.886, abs=0.001), "high": 1.0, "n": 30}
    assert weak["exact_match"]["mean"] == 0.0 and weak["errors"] == 0
    assert good["fields"].keys() == {"category", "size"}
    assert good["cost_usd_per_1k"] == pytest.approx(1000 * (100 * 2 + 50 * 8) / 1e6)
    assert (weak["cost_usd_per_1k"], weak["cost_basis"]) == (0.0, "local")
    assert good["latency_ms"]["n"] == 30 and weak["latency_ms"]["n"] == 12 and weak["latency_ms"]["p50"] > 0
    found = find_comparison(done.summary, base.id, teacher.id)
    assert found and (found["a"], found["wins"], found["losses"], found["n"]) == (teacher.id, 30, 0, 30)
    assert "teacher beats base by 100 points" in verdicts(done.summary)[0]
    assert upstream.keys == {"Bearer sk-secret"}


@pytest.mark.slow
def test_batched_answers_are_those_given_one_at_a_time(
    base: Model, database: Database, artifacts: Artifacts, settings: Settings
) -> None:
    from studio.evaluate.generators.local import LocalGenerator

    asked = [Prompt(str(n), [{"role": "user", "content": " ".join(WORDS[: n % 7 + 1])}]) for n in range(9)]
    room = "x"
    alone = LocalGenerator(base, Bench(settings, database, artifacts, room, timed=9))
    batched = LocalGenerator(base, Bench(settings, database, artifacts, room, timed=0))
    one_by_one = {prompt.example_id: answer.output for prompt, answer in alone.complete(asked)}
    together = {prompt.example_id: answer.output for prompt, answer in batched.complete(asked)}
    assert together == one_by_one and len(together) == 9
    tools = [
        Prompt("t", asked[0].messages, [{"type": "function"}]),
        Prompt("l", [{"role": "user", "content": "a " * 600}]),
    ]
    refused = {prompt.example_id: answer.error or "" for prompt, answer in batched.complete(tools)}
    assert "tools" in refused["t"] and "tokens" in refused["l"]


def test_a_cancelled_evaluation_keeps_its_answers_and_asks_only_for_the_rest(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any,
    upstream: Upstream, database: Database,
) -> None:  # fmt: skip
    started = evaluations.start(operator, version.id, [teacher.id])
    with pytest.raises(JobCancelled):
        run_job(started.id, stop_after=2)
    kept = outputs(database, started.id)
    assert 25 <= len(kept) < 30 and evaluations.get(started.id).finished_at is None
    upstream.asked.clear()
    run_job(started.id)
    assert len(upstream.asked) == 30 - len(kept)
    assert len(outputs(database, started.id)) == 30
    upstream.asked.clear()
    run_job(started.id)
    assert upstream.asked == []


def test_a_busy_provider_is_asked_again_and_an_unusual_one_without_temperature(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any, upstream: Upstream
) -> None:
    upstream.statuses = [429, 429, 429]
    upstream.strict_temperature = True
    started = evaluations.start(operator, version.id, [teacher.id])
    run_job(started.id)
    facts = evaluations.get(started.id).summary["models"][teacher.id]
    assert (facts["errors"], facts["exact_match"]["mean"]) == (0, 1.0)


def test_calls_that_fail_count_as_wrong_answers_and_are_asked_again_on_resume(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any, upstream: Upstream
) -> None:
    upstream.statuses = [422] * 3
    started = evaluations.start(operator, version.id, [teacher.id])
    run_job(started.id)
    facts = evaluations.get(started.id).summary["models"][teacher.id]
    assert (facts["errors"], facts["n"]) == (3, 30) and "422" in facts["first_error"]
    assert facts["exact_match"]["mean"] == pytest.approx(0.9)
    run_job(started.id)
    assert evaluations.get(started.id).summary["models"][teacher.id]["errors"] == 0


def test_a_refused_key_stops_the_evaluation_with_the_fix(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any, upstream: Upstream
) -> None:
    upstream.statuses = [401] * 30
    started = evaluations.start(operator, version.id, [teacher.id])
    with pytest.raises(Unavailable, match="refused the key"):
        run_job(started.id)


def test_a_provider_that_is_down_is_named(
    teacher: Model, database: Database, artifacts: Artifacts, settings: Settings, operator: Actor, project: Project,
    free_port: Callable[[], int],
) -> None:  # fmt: skip
    providers = Providers(database, SecretBox(settings.secrets))
    providers.save(operator, project.id, "up", f"http://127.0.0.1:{free_port()}/v1", "sk-new", ["big"])
    generator = ProviderGenerator(teacher, Bench(settings, database, artifacts), first_wait_s=0.01)
    with pytest.raises(Unavailable, match="up does not answer"):
        list(generator.complete([Prompt("1", [{"role": "user", "content": "hello"}])]))
    generator.close()


def test_only_verified_golden_examples_measure_unless_asked_otherwise(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any,
    database: Database, artifacts: Artifacts, viewer: Actor,
) -> None:  # fmt: skip
    everything = evaluations.start(operator, version.id, [teacher.id], verified_only=False)
    assert run_job(everything.id)[0]["n"] == 40
    with pytest.raises(InvalidInput, match="models"):
        evaluations.start(operator, version.id, [])
    with pytest.raises(InvalidInput, match="models"):
        evaluations.start(operator, version.id, ["nobody"])
    with pytest.raises(NotAllowed):
        evaluations.start(viewer, version.id, [teacher.id])
    with database.write() as session:
        unlabeled = session.get(DatasetVersion, version.id)
        assert unlabeled is not None
        unlabeled.verified_golden_rows = 0
    with pytest.raises(InvalidInput, match="confirmed by a person"):
        evaluations.start(operator, version.id, [teacher.id])


def test_outputs_stand_side_by_side_with_regressions_first(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, operator: Actor, run_job: Any,
    upstream: Upstream, database: Database,
) -> None:  # fmt: skip
    with database.write() as session:
        other = Model(**{**teacher.model_dump(exclude={"id"}), "name": "other"})
        session.add(other)
    started = evaluations.start(operator, version.id, [teacher.id, other.id])
    assert evaluations.get(started.id).job_id
    run_job(started.id)
    rows = outputs(database, started.id)
    worse = next(row for row in rows if row.model_id == other.id)
    with database.write() as session:
        session.get_one(EvaluationOutput, worse.id).scores = {"exact_match": 0.0}
    found = evaluations.outputs(started.id)
    assert len(found) == 30 and found[0].row.example_id == worse.example_id
    assert [pair.row.example_id for pair in evaluations.outputs(started.id, only="regressions")] == [worse.example_id]
    assert evaluations.outputs(started.id, [other.id, teacher.id], only="regressions") == []
    assert len(evaluations.outputs(started.id, [other.id, teacher.id], only="improvements")) == 1
    with pytest.raises(InvalidInput, match="regressions"):
        evaluations.outputs(started.id, only="nonsense")


def test_viewers_cannot_start_an_evaluation(
    evaluations: Evaluations, version: DatasetVersion, teacher: Model, sign_in: Callable[[Role], Actor]
) -> None:
    with pytest.raises(NotAllowed):
        evaluations.start(sign_in(Role.LABELER), version.id, [teacher.id])
