"""A server of somebody else's: what it speaks is heard from itself, and it is never started or stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.targets.external import ExternalTarget
from studio.deploy.targets.port import Launch, Place
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable
from tests.fakes.hosted_server import Fault, HostedServer
from tests.fakes.tgi import FakeTgi
from tests.fakes.vllm import BASE, FakeVllm

Launches = Callable[..., Launch]


class FakeOpenAi(HostedServer):
    """OpenAI's routes and no others."""

    def answer(self, asked: Any) -> dict[str, Any]:
        if asked.path == "/v1/models":
            return {"object": "list", "data": [{"id": "mine", "object": "model"}]}
        return super().answer(asked)


def at(url: str, key: str = "", **options: Any) -> ExternalTarget:
    return ExternalTarget(Place("theirs", url, key, options))


def test_a_vllm_is_known_by_its_tokenizer(vllm: FakeVllm) -> None:
    health = at(vllm.origin, FakeVllm.key).check()
    assert health.ok and health.offers == {"dialect": "vllm"}
    assert health.sentence == f"vLLM 0.32.0 answers. It serves {BASE}." and health.warnings == ()


def test_a_tgi_is_known_by_its_info(tgi: FakeTgi) -> None:
    health = at(tgi.url).check()
    assert health.ok and health.offers == {"dialect": "tgi"} and "/data/model" in health.sentence


def test_anything_else_with_a_list_of_models_speaks_openai() -> None:
    server = FakeOpenAi()
    try:
        health = at(server.origin, server.key).check()
        assert health.ok and health.offers == {"dialect": "openai"} and "It serves mine." in health.sentence
    finally:
        server.close()


def test_a_saved_dialect_that_is_wrong_is_a_warning(vllm: FakeVllm) -> None:
    health = at(vllm.origin, FakeVllm.key, dialect="tgi").check()
    assert health.warnings == ("It is saved as speaking tgi, but it speaks vllm.",)


def test_a_model_that_is_not_served_there_is_named(vllm: FakeVllm) -> None:
    health = at(vllm.origin, FakeVllm.key, model="our-model").check()
    assert not health.ok and f"serves {BASE} and no 'our-model'" in health.sentence


def test_a_list_that_needs_no_key_is_a_warning(vllm: FakeVllm) -> None:
    vllm.needs_key = False
    assert at(vllm.origin, "some-key").check().warnings == ("It lists its models without the key too.",)


def test_the_place_gives_address_dialect_and_name(vllm: FakeVllm, launches: Launches) -> None:
    running = at(f"{vllm.origin}/v1", dialect="openai", model="our-model").launch(launches())
    assert (running.endpoint, running.dialect, running.served_name) == (vllm.origin, "openai", "our-model")
    assert vllm.lines == []


def test_a_revision_leads_a_places_key_to_no_other_address(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(InvalidInput, match="has an address already"):
        at(vllm.origin, FakeVllm.key).launch(launches(options={"url": "http://evil.example"}))


def test_an_unknown_dialect_is_heard_and_remembered_for_when_the_server_is_away(
    vllm: FakeVllm, launches: Launches
) -> None:
    vllm.key = "key"  # the launch's
    assert at(vllm.origin).launch(launches()).dialect == "vllm"
    vllm.faults.append(Fault("GET", 503, times=9))
    assert at(vllm.origin).launch(launches()).dialect == "vllm"


def test_a_server_that_was_never_heard_speaks_openai(launches: Launches, nowhere: str) -> None:
    assert at(nowhere).launch(launches()).dialect == "openai"


def test_it_is_never_stopped(vllm: FakeVllm) -> None:
    target = at(vllm.origin, FakeVllm.key)
    target.stop(vllm.origin, now=True)
    assert target.look(vllm.origin, Path("/")).alive and vllm.lines == []


def test_a_wrong_key_is_named(vllm: FakeVllm) -> None:
    with pytest.raises(Conflict, match="refused the key"):
        at(vllm.origin, "wrong").check()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            Fault("GET", 200, body="<html>Hello</html>", headers={"Content-Type": "text/html"}),
            "a web page instead of JSON",
        ),
        (Fault("GET", 301, headers={"Location": "http://other.example/"}), "redirects to http://other.example/"),
        (Fault("GET", 404, body='{"detail": "Not Found"}'), "HTTP 404: Not Found"),
        (Fault("GET", 200, body="[" * 200_000), "instead of JSON"),
        (Fault("GET", 200, body='"' + "x" * (5 << 20) + '"'), "sends more than a model server would"),
    ],
)
def test_what_is_no_model_server_is_told_apart(vllm: FakeVllm, fault: Fault, said: str) -> None:
    vllm.faults.append(fault)
    with pytest.raises(StudioError, match=said):
        at(vllm.origin, FakeVllm.key).check()


def test_an_unreachable_server_is_said(nowhere: str) -> None:
    with pytest.raises(Unavailable, match="Nothing answers"):
        at(nowhere).check()
