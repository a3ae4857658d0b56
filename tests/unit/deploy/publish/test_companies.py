"""Publishing to Fireworks and to Together, against servers that speak their documented formats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from storage.tables import Job, Model
from studio.access.actor import Actor
from studio.deploy.publish import company as companies
from studio.deploy.publish.destinations import Source
from studio.deploy.publish.service import Publishing
from studio.deploy.published import hub_repository, source_at
from studio.errors import Conflict, InvalidInput, StudioError
from studio.jobs.context import JobCancelled
from studio.train.hosted import http
from tests.fakes.hosted_server import Fault
from tests.fakes.serving_fireworks import FireworksModels
from tests.fakes.serving_together import TogetherModels
from tests.unit.deploy.publish.conftest import WEIGHTS, Run

ADMIN = Actor.operator()
FIREWORKS, TOGETHER = "fireworks:acme/triage", "together:triage"
SIGNED = "https://bucket.example/weights.tar.gz?X-Amz-Signature=secret0123"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is not what is tested."""
    monkeypatch.setattr(companies, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(http, "LONGEST_WAIT_S", 0.0)


@pytest.fixture
def fireworks() -> Iterator[FireworksModels]:
    server = FireworksModels()
    yield server
    server.close()


@pytest.fixture
def together() -> Iterator[TogetherModels]:
    server = TogetherModels()
    yield server
    server.close()


def to_fireworks(publishing: Publishing, model: Model, server: FireworksModels, **values: Any) -> Job:
    return publishing.publish(ADMIN, model.id, FIREWORKS, **{"key": server.key, "url": server.origin, **values})


def to_together(publishing: Publishing, model: Model, server: TogetherModels, **values: Any) -> Job:
    given = {"key": server.key, "url": server.origin, "source": Source("acme/triage", "hf_secret"), **values}
    return publishing.publish(ADMIN, model.id, TOGETHER, **given)


def saved(publishing: Publishing, model: Model) -> Model:
    with publishing.database.read() as session:
        return session.get_one(Model, model.id)


def test_fireworks_gets_every_file_at_its_signed_address_and_no_key_goes_there(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels
) -> None:
    said = run(to_fireworks(publishing, model, fireworks))
    assert said["where"] == FIREWORKS
    assert fireworks.bucket.files["triage/model.safetensors"] == WEIGHTS
    assert b"# triage-v1" in fireworks.bucket.files["triage/README.md"]
    assert fireworks.models["triage"]["state"] == "READY"
    assert fireworks.asked_for("validateUpload") == 2
    (entry,) = publishing.published(model.id)
    assert (entry["company"], entry["model"]) == ("fireworks", "accounts/acme/models/triage")
    found = saved(publishing, model)
    assert source_at(found, "fireworks") == "accounts/acme/models/triage"
    assert source_at(found, "together") == "" and hub_repository(found) == ""


def test_what_is_ready_at_fireworks_is_not_sent_again(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels
) -> None:
    run(to_fireworks(publishing, model, fireworks))
    sent = len(fireworks.bucket.lines)
    run(to_fireworks(publishing, model, fireworks))
    assert len(fireworks.bucket.lines) == sent and fireworks.asked_for("POST /v1/accounts/acme/models$") == 1


def test_a_cancelled_upload_to_fireworks_is_gone_on_with(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels
) -> None:
    job = to_fireworks(publishing, model, fireworks)
    stops = iter([False, False, True])
    with pytest.raises(JobCancelled):
        run(job, stop_asked=lambda: next(stops, True))
    assert fireworks.models["triage"]["state"] == "UPLOADING" and publishing.published(model.id) == []
    run(job)
    assert fireworks.models["triage"]["state"] == "READY" and len(fireworks.models) == 1


def test_a_lost_answer_of_fireworks_makes_no_second_model(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels
) -> None:
    fireworks.faults.append(Fault("POST /v1/accounts/acme/models$", after=True))
    fireworks.bucket.faults.append(Fault("PUT", 503))
    run(to_fireworks(publishing, model, fireworks))
    assert len(fireworks.models) == 1 and fireworks.bucket.files["triage/model.safetensors"] == WEIGHTS


def test_other_weights_under_the_name_are_left_alone(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels, together: TogetherModels
) -> None:
    run(to_fireworks(publishing, model, fireworks))
    fireworks.models["triage"]["description"] = "my own"
    with pytest.raises(Conflict, match="with other weights"):
        run(to_fireworks(publishing, model, fireworks))
    run(to_together(publishing, model, together))
    together.jobs["job-1"]["args"]["description"] = "Whetstone another"
    with pytest.raises(Conflict, match="with other weights"):
        run(to_together(publishing, model, together))


def test_files_that_fireworks_does_not_take_are_told(
    publishing: Publishing, model: Model, run: Run, fireworks: FireworksModels
) -> None:
    fireworks.faults.append(Fault("validateUpload", 400, times=9, said="config.json names no architecture"))
    with pytest.raises(InvalidInput, match="names no architecture"):
        run(to_fireworks(publishing, model, fireworks))
    assert publishing.published(model.id) == []


def test_together_fetches_from_the_hub_and_the_job_waits_for_it(
    publishing: Publishing, model: Model, run: Run, together: TogetherModels
) -> None:
    job = to_together(publishing, model, together)
    assert "hf_secret" not in json.dumps(job.spec)
    assert run(job)["where"] == TOGETHER
    assert together.asked == [
        {
            "model_name": "triage",
            "model_source": "acme/triage",
            "model_type": "model",
            "description": f"Whetstone {model.digest}",
            "hf_token": "hf_secret",
        }
    ]
    assert together.looks == {"job-1": 3}
    assert source_at(saved(publishing, model), "together") == "acme/triage"


def test_together_uses_the_repository_that_the_model_was_published_to(
    publishing: Publishing, model: Model, run: Run, together: TogetherModels
) -> None:
    with publishing.database.write() as session:
        row = session.get_one(Model, model.id)
        row.facts = {"published": [{"repository": "acme/there", "revision": "c0ffee", "digest": model.digest}]}
    run(to_together(publishing, model, together, source=None))
    assert together.asked[0]["model_source"] == "acme/there" and "hf_token" not in together.asked[0]


def test_together_needs_a_source(publishing: Publishing, model: Model, run: Run, together: TogetherModels) -> None:
    with pytest.raises(InvalidInput, match="Publish the model to hub:organisation/name first"):
        run(to_together(publishing, model, together, source=None))


def test_a_signed_address_is_kept_like_a_key(
    publishing: Publishing, model: Model, run: Run, together: TogetherModels
) -> None:
    job = to_together(publishing, model, together, source=Source(SIGNED, "hf_secret"))
    assert "secret0123" not in json.dumps(job.spec) and "secret0123" not in job.title
    together.faults.append(Fault("POST /v1/models", 400, said=f"cannot fetch {SIGNED}"))
    with pytest.raises(InvalidInput, match="cannot fetch") as told:
        run(job)
    assert "secret0123" not in told.value.message
    run(job)
    assert together.asked[0]["model_source"] == SIGNED and "hf_token" not in together.asked[0]
    assert "secret0123" not in json.dumps(publishing.published(model.id))


def test_a_lost_answer_of_together_makes_no_second_job(
    publishing: Publishing, model: Model, run: Run, together: TogetherModels
) -> None:
    together.faults.append(Fault("POST /v1/models", after=True))
    job = to_together(publishing, model, together)
    run(job)
    run(job)
    assert len(together.jobs) == 1 and len(publishing.published(model.id)) == 1
    assert source_at(saved(publishing, model), "together") == "acme/triage"


def test_what_together_cannot_take_is_told_and_may_be_tried_again(
    publishing: Publishing, model: Model, run: Run, together: TogetherModels
) -> None:
    together.failing = "unsupported architecture"
    with pytest.raises(Conflict, match="could not take triage: unsupported architecture"):
        run(to_together(publishing, model, together))
    together.failing = ""
    run(to_together(publishing, model, together))
    assert len(together.jobs) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, r"refused the key \(HTTP 401\). Check the key"),
        (402, "wants to be paid first"),
        (429, "asks us to wait"),
        (404, "does not know"),
        (500, "trouble of its own"),
    ],
)
def test_what_a_company_refuses_is_told(
    publishing: Publishing,
    model: Model,
    run: Run,
    fireworks: FireworksModels,
    together: TogetherModels,
    status: int,
    said: str,
) -> None:
    for server in (fireworks, together):
        server.faults.append(Fault("POST", status, times=9, said=f"no, {server.key}"))
    for job in (to_fireworks(publishing, model, fireworks), to_together(publishing, model, together)):
        with pytest.raises(StudioError, match=said) as told:
            run(job)
        assert fireworks.key not in told.value.message
    assert publishing.published(model.id) == []


@pytest.mark.parametrize(
    ("where", "key", "words"),
    [
        ("fireworks:triage", "k", "fireworks:account/model"),
        ("fireworks:acme/Triage_v1", "k", "lower-case"),
        ("fireworks:acme/triage", "", "Fireworks wants a key"),
        ("together:acme/triage", "k", "together:model"),
        ("together:triage", "", "Together wants a key"),
        ("relative", "k", "fireworks:account/model, together:model"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(
    publishing: Publishing, model: Model, where: str, key: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        publishing.publish(ADMIN, model.id, where, key=key)


def test_a_source_must_be_a_repository_or_a_signed_address(publishing: Publishing, model: Model) -> None:
    for address in ("http://bucket.example/w.zip", "s3://bucket/w.zip", "/etc/passwd"):
        with pytest.raises(InvalidInput, match="signed https address"):
            publishing.publish(ADMIN, model.id, TOGETHER, key="k", source=Source(address))
