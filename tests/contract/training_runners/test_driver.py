"""Carrying a run out as the training job does: the place by name, its key, the recipe made to fit, and the summary."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import ComputeTarget, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.errors import InvalidInput, NotFound
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import recipe
from studio.train.places import Places
from studio.train.runners import carry_out, driver, several
from studio.train.runners.accelerate import argv_of
from studio.train.runners.port import ONE_PROCESS
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.fakes.hosted_together import TogetherServer
from tests.fakes.ray_server import TOKEN, FakeRay

Carry = Callable[[str], tuple[TrainingRun, dict[str, Any]]]


@pytest.fixture
def places(database: Database, settings: Settings) -> Places:
    return Places(database, SecretBox(settings.secrets))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with rows for a company."""
    made = tmp_path / "work"
    (made / "data").mkdir(parents=True)
    row = {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}
    (made / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(12)))
    recipe.write(made, {"num_train_epochs": 1, "learning_rate": 1e-4, "use_cpu": True, "seed": 3})
    return made


@pytest.fixture
def carry(
    database: Database, artifacts: Artifacts, settings: Settings, project: Project, operator: Actor, folder: Path
) -> Carry:
    version = freeze_rows(database, artifacts, project.id, [make_row("a", "b")], [])

    def go(place: str) -> tuple[TrainingRun, dict[str, Any]]:
        with database.write() as session:
            job = Jobs(database).enqueue(session, operator, "train", {}, title="Train cups")
            base = Model(project_id=project.id, name=f"base {place}", kind="base", hub_id="Qwen/Qwen3-8B")
            session.add(base)
            session.flush()
            facts = {"dataset_version_id": version.id, "base_model_id": base.id, "project_id": project.id}
            run = TrainingRun(name="cups", runner=place, job_id=job.id, recipe={"num_train_epochs": 1}, **facts)
            session.add(run)
        context = JobContext(job.id, 1, "train", {}, folder, settings, database, artifacts)
        summary = carry_out(run, folder, context)
        with database.read() as session:
            return session.get_one(TrainingRun, run.id), summary

    return go


@pytest.fixture
def together() -> Iterator[TogetherServer]:
    server = TogetherServer()
    yield server
    server.close()


def test_a_company_trains_and_the_name_of_its_model_comes_home(
    places: Places, carry: Carry, together: TogetherServer, operator: Actor
) -> None:
    options = {"model": "Qwen/Qwen3-8B", "confirmed": True, "poll_s": 0.05}
    places.save(operator, "company", "together", f"{together.origin}/v1", together.key, options)

    def finish() -> None:
        while not together.jobs:
            threading.Event().wait(0.05)
        together.finish(next(iter(together.jobs)))

    threading.Thread(target=finish, daemon=True).start()
    run, summary = carry("company")
    assert summary["hosted"]["model"].startswith("acme/") and summary["hosted"]["kind"] == "together"
    assert summary["hosted"]["base_url"] == f"{together.origin}/v1"
    assert run.handle == next(iter(together.jobs)) and summary["place"] == "company"


def test_a_company_trains_nothing_before_its_price_is_confirmed(
    places: Places, carry: Carry, together: TogetherServer, operator: Actor
) -> None:
    places.save(operator, "company", "together", f"{together.origin}/v1", together.key, {"model": "Qwen/Qwen3-8B"})
    with pytest.raises(InvalidInput, match=r"costs money, about \$"):
        carry("company")
    assert not together.jobs


def test_a_place_that_is_gone_is_said(carry: Carry) -> None:
    with pytest.raises(NotFound, match="no place named “gone”"):
        carry("gone")


def test_a_run_at_a_place_with_gpus_uses_them(
    places: Places, carry: Carry, folder: Path, ray: FakeRay, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = several.command(1)
    claimed = {"hosted": {"model": "m", "base_url": "https://evil.example/v1"}}
    (folder / "how.json").write_text(json.dumps({"summary": claimed}))
    script = Path(__file__).parents[2] / "fakes" / "small_job.py"
    (folder / "job.py").write_text(script.read_text())
    monkeypatch.setattr(driver.several, "of_options", lambda *_: (small[0], "job.py", small[-1]))
    given = {"python": sys.executable, "gpus": 1, "cpus": 2, "memory_gb": 4, "pip": "trl", "poll_s": 0.05}
    places.save(operator, "box", "ray", ray.url, TOKEN, given, price_per_hour=10)
    _run, summary = carry("box")
    body = next(iter(ray.jobs.values())).body
    assert (body["entrypoint_num_gpus"], body["entrypoint_num_cpus"], body["entrypoint_memory"]) == (1, 2, 4 << 30)
    assert body["runtime_env"]["pip"] == ["trl"] and TOKEN not in json.dumps(body)
    assert "use_cpu" not in (folder / "recipe.yaml").read_text()
    assert summary["cost_usd"] == 0.1
    assert "hosted" not in summary, "only a company says where a model answers"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (ComputeTarget(name="a", kind="ray", options={}), False),
        (ComputeTarget(name="a", kind="ray", options={"gpus": 2.0}), True),
        (ComputeTarget(name="a", kind="hf_jobs", options={}), False),
        (ComputeTarget(name="a", kind="hf_jobs", options={"flavor": "a10g-small"}), True),
    ],
)
def test_which_places_have_gpus(place: ComputeTarget, expected: bool) -> None:
    assert driver.has_gpus(place) is expected


def test_the_command_fits_the_processes_and_what_they_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert several.of_options({}, on_gpus=False) == several.of_options({"gpus": 1}, on_gpus=True) == ONE_PROCESS
    on_gpus = several.of_options({"gpus": 4.0}, on_gpus=True)
    assert "accelerate.commands.accelerate_cli" in on_gpus and on_gpus[on_gpus.index("--num_processes") + 1] == "4"
    assert "torch.distributed.run" in several.command(2, on_gpus=False)
    with pytest.raises(InvalidInput, match="ddp or fsdp"):
        several.command(2, "horovod")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert argv_of({}) == several.command(2)
    assert "--use_fsdp" in argv_of({"strategy": "fsdp"})
    with pytest.raises(InvalidInput, match="may use 2"):
        argv_of({"processes": 3})


def test_the_base_of_the_hub_is_not_sent_where_it_can_be_fetched(folder: Path) -> None:
    base = Model(project_id="p", name="b", kind="base", hub_id="Qwen/Qwen3-8B", hub_revision="abc")
    run = TrainingRun(project_id="p", dataset_version_id="v", base_model_id="b", name="cups")
    place = ComputeTarget(name="a", kind="hf_jobs", options={"hours": 2, "start_within_minutes": 5})
    spec = driver._spec(run, base, folder, place)
    assert (spec.base, spec.timeout_s, spec.start_within_s) == ("Qwen/Qwen3-8B@abc", 7200, 300)
    assert driver._spec(run, base, folder, replace_kind(place)).base == ""


def replace_kind(place: ComputeTarget) -> ComputeTarget:
    return ComputeTarget(name=place.name, kind="ray", options=place.options)
