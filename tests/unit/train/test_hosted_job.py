"""The whole training job at a company: nothing is downloaded, the model comes home as a name with its provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.curate.snapshot import Row
from studio.jobs.context import JobContext
from studio.settings import Settings
from studio.train import jobs, recipe
from studio.train.laying_out import lay_out
from studio.train.models import Models
from studio.train.places import Places
from studio.train.planning import Parts
from studio.train.runs import Training
from tests.fakes.frozen_rows import make_row
from tests.fakes.hosted_together import TogetherServer

HUB_ID = "Qwen/Qwen3-0.6B"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = '{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {}}}]}'
Freeze = Callable[[list[Row], list[Row]], DatasetVersion]


@pytest.fixture
def together() -> Iterator[TogetherServer]:
    server = TogetherServer()
    yield server
    server.close()


@pytest.fixture
def hub_base(models: Models, project: Project, operator: Actor) -> Model:
    """A base that nobody downloaded; tests reach no Hub, so a try to fetch it fails."""
    return models.register_hub_base(operator, project.id, HUB_ID)


def context_of(training: Training, run: TrainingRun, folder: Path) -> JobContext:
    with training.database.read() as session:
        job = session.get_one(Job, run.job_id)
    stores: dict[str, Any] = {"settings": training.settings, "database": training.database}
    return JobContext(job.id, 1, job.kind, job.spec, folder, artifacts=training.artifacts, **stores)


def test_a_company_s_run_downloads_no_base(
    training: Training,
    database: Database,
    settings: Settings,
    project: Project,
    operator: Actor,
    hub_base: Model,
    version: DatasetVersion,
    together: TogetherServer,
    tmp_path: Path,
) -> None:
    secrets = SecretBox(settings.secrets)
    options = {"model": HUB_ID, "confirmed": True, "poll_s": 0.05}
    Places(database, secrets).save(operator, "company", "together", f"{together.origin}/v1", together.key, options)
    run = training.start(operator, version.id, hub_base.id, name="cups", runner="company")

    def finish() -> None:
        while not together.jobs:
            threading.Event().wait(0.02)
        together.finish(next(iter(together.jobs)))

    threading.Thread(target=finish, daemon=True).start()
    told = jobs.train(context_of(training, run, tmp_path / "work"))
    made = training.model_of(run.id)
    assert made is not None and made.id == told["model_id"] and made.kind == "provider"
    providers = Providers(database, secrets)
    assert providers.key_of(providers.get(made.provider_id or "")) == together.key
    assert not (tmp_path / "work" / recipe.BASE).exists()
    with database.read() as session:
        assert session.get_one(Model, hub_base.id).digest == ""
    assert training.get(run.id).card["sentence"]


@pytest.mark.parametrize(("kind", "kept"), [("openai", True), ("bedrock", False)])
def test_rows_that_call_tools_go_to_a_company_that_knows_them(
    training: Training,
    database: Database,
    settings: Settings,
    project: Project,
    operator: Actor,
    hub_base: Model,
    freeze: Freeze,
    tmp_path: Path,
    kind: str,
    kept: bool,
) -> None:
    rows = [make_row(f"a {number}", "b") for number in range(12)] + [make_row("look", CALL, tools=[TOOL])]
    version = freeze(rows, [])
    Places(database, SecretBox(settings.secrets)).save(operator, "there", kind, "", "AKIA:secret")
    run = training.start(operator, version.id, hub_base.id, name="cups", runner="there")
    context = context_of(training, run, tmp_path / "work")
    lines = lay_out(context, run, Parts(version, training.planner.source(version.id)[1], hub_base))
    assert any("tools" in line for line in [*lines.train, *lines.held_out]) is kept


def test_a_container_that_fetches_the_base_gets_its_commit_instead(
    training: Training,
    database: Database,
    settings: Settings,
    operator: Actor,
    hub_base: Model,
    version: DatasetVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("studio.train.hub.commit_of", lambda _hub_id: "abc123")
    Places(database, SecretBox(settings.secrets)).save(operator, "box", "hf_jobs", "", "hf_token")
    run = training.start(operator, version.id, hub_base.id, name="cups", runner="box")
    context = context_of(training, run, tmp_path / "work")
    lay_out(context, run, Parts(version, training.planner.source(version.id)[1], hub_base))
    assert (tmp_path / "work" / recipe.RECIPE).exists() and not (tmp_path / "work" / recipe.BASE).exists()
    with database.read() as session:
        assert session.get_one(Model, hub_base.id).hub_revision == "abc123"


def test_the_price_of_a_company_is_said_to_be_rough(tmp_path: Path) -> None:
    from studio.train.hosted.port import HostedSpec
    from studio.train.hosted.prices import by_the_token
    from studio.train.hosted.rows import Upload

    spec, upload = HostedSpec("r", "cups", "sft", HUB_ID, tmp_path), Upload(tmp_path, "rows", 1, 4_000_000)
    rough = by_the_token(spec, upload, HUB_ID, [(HUB_ID, 0.5)], {})
    assert rough is not None and rough.usd == 0.5 and "a rough price" in rough.sentence
    assert rough.sentence.endswith("enter the right one under “Your prices” of the place.")
    own = by_the_token(spec, upload, HUB_ID, [(HUB_ID, 0.5)], {"prices": {HUB_ID: 2.0}})
    assert own is not None and own.usd == 2.0 and "your price" in own.sentence and "rough" not in own.sentence
