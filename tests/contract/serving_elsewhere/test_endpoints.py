"""Inference Endpoints through their own client, against a server that speaks their documented API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.targets.endpoints import IMAGE, EndpointsTarget, endpoint_name
from studio.deploy.targets.port import Launch, Look, Place
from studio.deploy.targets.seen import SEEN
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable
from tests.fakes.endpoints_api import TOKEN, FakeEndpointsApi
from tests.fakes.hosted_server import Fault

Launches = Callable[..., Launch]
REPOSITORY = "acme/triage@0123456789abcdef"


def target(key: str = TOKEN, **options: Any) -> EndpointsTarget:
    return EndpointsTarget(Place("hf", "", key, {"confirmed": True, **options}))


def launched(launches: Launches) -> Launch:
    return launches(repository=REPOSITORY, adapter=None)


def looked(there: EndpointsTarget, handle: str, folder: Path) -> Look:
    """A look that asks again."""
    (folder / SEEN).unlink(missing_ok=True)
    return there.look(handle, folder)


def test_an_endpoint_is_made_with_the_pinned_tgi_and_the_published_weights(
    hub: FakeEndpointsApi, launches: Launches
) -> None:
    launch = launched(launches)
    running = target(max_total_tokens=2048).launch(launch)
    body = hub.asked[0]
    assert body["model"]["image"] == {"custom": {"url": IMAGE, "healthRoute": "/health", "port": 80}}
    assert IMAGE.endswith(":3.3.7")
    assert (body["model"]["repository"], body["model"]["revision"]) == ("acme/triage", "0123456789abcdef")
    assert body["model"]["env"]["MODEL_ID"] == "/repository" and body["model"]["env"]["MAX_TOTAL_TOKENS"] == "2048"
    assert body["compute"]["scaling"] == {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}
    assert (body["type"], body["provider"]) == ("authenticated", {"region": "us-east-1", "vendor": "aws"})
    assert (running.handle, running.endpoint) == (body["name"], "")
    assert (running.dialect, running.served_name) == ("tgi", "/repository")
    assert TOKEN not in str(hub.asked)


def test_its_address_is_told_once_it_runs(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there, launch = target(), launched(launches)
    handle = there.launch(launch).handle
    for state in ("pending", "initializing"):
        hub.move(handle, state)
        look = looked(there, handle, tmp_path)
        assert look.alive and look.endpoint == "" and state in look.log_tail
    hub.move(handle, "running")
    assert looked(there, handle, tmp_path).endpoint == hub.serves


def test_a_repeated_launch_pays_once(hub: FakeEndpointsApi, launches: Launches) -> None:
    launch = launched(launches)
    handles = {target().launch(launch).handle for _ in range(3)}
    assert len(hub.endpoints) == len(handles) == len(hub.asked) == 1


def test_a_creation_whose_answer_was_lost_is_found_again(hub: FakeEndpointsApi, launches: Launches) -> None:
    launch = launched(launches)
    hub.faults.append(Fault("POST /v2/endpoint/acme$", after=True))
    with pytest.raises(Unavailable):
        target().launch(launch)
    assert target().launch(launch).handle in hub.endpoints and len(hub.asked) == 1


def test_stopping_pauses_and_launching_wakes(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there, launch = target(), launched(launches)
    handle = there.launch(launch).handle
    hub.move(handle, "running")
    there.stop(handle)
    there.stop(handle, now=True)
    look = looked(there, handle, tmp_path)
    assert not look.alive and "paused" in look.log_tail and hub.asked_for("/pause") == 1
    there.launch(launch)
    assert hub.endpoints[handle]["status"]["state"] == "pending" and hub.asked_for("/resume") == 1


def test_a_place_may_delete_what_is_stopped(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there = target(when_stopped="delete")
    handle = there.launch(launched(launches)).handle
    there.stop(handle)
    there.stop(handle)
    assert hub.endpoints == {} and "no endpoint" in looked(there, handle, tmp_path).log_tail


def test_one_that_sleeps_is_alive(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there = target()
    handle = there.launch(launched(launches)).handle
    hub.move(handle, "running")
    there.scale_to_zero(handle)
    look = looked(there, handle, tmp_path)
    assert look.alive and "scaledToZero" in look.log_tail and look.endpoint == hub.serves


@pytest.mark.parametrize("state", ["failed", "updateFailed"])
def test_a_failure_there_is_told_with_their_reason_and_not_tried_again(
    hub: FakeEndpointsApi, launches: Launches, tmp_path: Path, state: str
) -> None:
    there, launch = target(), launched(launches)
    handle = there.launch(launch).handle
    hub.move(handle, state)
    look = looked(there, handle, tmp_path)
    assert not look.alive and "ailed" in look.log_tail
    with pytest.raises(Conflict, match="could not run"):
        there.launch(launch)
    assert len(hub.asked) == 1


def test_an_endpoint_of_another_revision_is_left_alone(hub: FakeEndpointsApi, launches: Launches) -> None:
    launch = launched(launches)
    handle = target().launch(launch).handle
    hub.endpoints[handle]["model"]["env"]["WHETSTONE_REVISION"] = "another"
    with pytest.raises(Conflict, match="of another revision"):
        target().launch(launch)


def test_other_hardware_updates_the_same_endpoint(hub: FakeEndpointsApi, launches: Launches) -> None:
    launch = launched(launches)
    handle = target().launch(launch).handle
    target(instance_type="nvidia-a10g").launch(launch)
    assert list(hub.endpoints) == [handle] and hub.asked_for("PUT") == 1
    assert hub.endpoints[handle]["compute"]["instanceType"] == "nvidia-a10g"


def test_the_price_is_shown_and_nothing_starts_before_it_is_confirmed(
    hub: FakeEndpointsApi, launches: Launches
) -> None:
    there = target(confirmed=False)
    health = there.check()
    assert health.ok and health.usd_per_hour == 0.8 and "acme" in health.sentence and "$0.80 an hour" in health.sentence
    assert "confirms the price" in health.warnings[0]
    with pytest.raises(InvalidInput, match=r"\$0\.80 an hour.*Confirm"):
        there.launch(launched(launches))
    assert hub.endpoints == {}


def test_a_price_that_hugging_face_does_not_tell_is_yours_or_none(hub: FakeEndpointsApi) -> None:
    own = target(instance_type="nvidia-new", price_per_hour=2.5).check()
    assert own.usd_per_hour == 2.5 and "as you entered it" in own.sentence
    none = target(instance_type="nvidia-new").check()
    assert none.usd_per_hour is None and "tells no price" in none.sentence


def test_hardware_that_cannot_be_had_is_said(hub: FakeEndpointsApi) -> None:
    assert "is deprecated" in target(instance_type="nvidia-t4").check().sentence


def test_a_model_that_is_not_on_the_hub_is_refused(hub: FakeEndpointsApi, launches: Launches) -> None:
    with pytest.raises(InvalidInput, match="Publish this one there first"):
        target().launch(launches())


def test_what_must_be_done_first_is_known_without_asking(hub: FakeEndpointsApi) -> None:
    assert target().refusals(REPOSITORY) == []
    assert len(target(confirmed=False).refusals("")) == 2
    assert hub.lines == []


def test_a_token_goes_to_no_other_host(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there, launch = target(), launched(launches)
    handle = there.launch(launch).handle
    for address in (
        "https://evil.example",
        "http://x.endpoints.huggingface.cloud",
        "https://endpoints.huggingface.cloud.evil",
    ):
        hub.serves = address
        hub.move(handle, "running")
        look = looked(there, handle, tmp_path)
        assert not look.alive and look.endpoint == "" and "not sent there" in look.log_tail


def test_their_api_is_not_asked_at_every_look(
    hub: FakeEndpointsApi, launches: Launches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.deploy.targets.endpoints.LOOK_S", 3600.0)  # however long a look takes here
    there = target()
    handle = there.launch(launched(launches)).handle
    before = len(hub.lines)
    looks = [there.look(handle, tmp_path) for _ in range(5)]
    assert len(hub.lines) == before + 1 and looks == [looks[0]] * 5


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("GET /v2", 401, said="Invalid token"), "refused the token"),
        (Fault("GET /v2", 402, said="Payment required"), "payment method"),
        (Fault("GET /v2", 429, times=9), "no more requests"),
        (Fault("GET /v2", 200, body="<html></html>", headers={"Content-Type": "text/html"}), "cannot read"),
        (Fault("GET /v2", 200, body='{"name": "x"}'), "cannot read"),
    ],
)
def test_what_hugging_face_says_becomes_one_sentence(
    hub: FakeEndpointsApi, launches: Launches, fault: Fault, said: str
) -> None:
    hub.faults.append(fault)
    with pytest.raises(StudioError, match=said):
        target().launch(launched(launches))


def test_a_wrong_token_is_told(hub: FakeEndpointsApi) -> None:
    with pytest.raises(Conflict, match="refused the token"):
        target("hf_wrong").check()
    with pytest.raises(InvalidInput, match="need a token"):
        target("").check()


def test_silence_is_not_death(hub: FakeEndpointsApi, launches: Launches, tmp_path: Path) -> None:
    there = target()
    handle = there.launch(launched(launches)).handle
    hub.faults.append(Fault("GET /v2", after=True, times=9))
    look = looked(there, handle, tmp_path)
    assert look.alive and "does not answer" in look.log_tail


def test_names_fit_their_rules(launches: Launches) -> None:
    for name in ("Support_Triage.v2-r12", "x" * 120, "名前-r1", "---"):
        made = endpoint_name(launches(name=name))
        assert len(made) <= 32 and made.endswith("-5f0c9d2e") and made[0].isalnum() and made == made.lower()
