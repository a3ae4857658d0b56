"""An alias with several routes: who is asked first, who next, who behind the caller's back, and how it is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import openai
import pytest

from storage.database import Database
from storage.tables import Deployment, Model, Release, Revision, ShadowPair
from studio.deploy.router import position
from studio.deploy.shadows import Shadows
from studio.deploy.traffic import RouteStats, Traffic
from tests.fakes.upstream import ANSWER

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "user", "content": "Where is the café?"}]
LOG_ID, ROUTE, SERVED_BY = "x-whetstone-log-id", "x-whetstone-route", "x-whetstone-served-by"
LONG_AGO = datetime.fromtimestamp(0, UTC)
KEY_IN_PROMPT = "sk-live-abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture(scope="module")
def stack(patient_stack: Any) -> Any:
    return patient_stack


def alias_of(stack: Any, name: str) -> tuple[Deployment, list[str]]:
    """The deployment and its routes' keys, as released."""
    from storage.repositories.deployments import DeploymentRepository, ReleaseRepository

    with stack.database.read() as session:
        found = DeploymentRepository(session).find_one(project_id=stack.project.id, alias=name)
        assert found is not None
        release = ReleaseRepository(session).current(found.id)
    assert release is not None
    return found, [route["revision_id"] or route["model_id"] for route in release.routes]


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What `look` sees once it is as wanted; a minute is more than a busy machine needs."""
    deadline = time.monotonic() + 60
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


def figures(stack: Any, alias: str, enough: int, shadow: bool = False) -> dict[str, RouteStats]:
    """The alias's figures once this many attempts are counted."""
    deployment, _keys = alias_of(stack, alias)

    def look() -> dict[str, RouteStats]:
        return Traffic(stack.database).stats(deployment.id, LONG_AGO, shadow=shadow)

    found: dict[str, RouteStats] = until(look, lambda seen: sum(each.calls for each in seen.values()) >= enough)
    return found


FAILING = ["half-busy", "half-broken", "half-failed", "half-refuses", "half-cut", "late"]
PICKY = {"half-picky": False, "half-polite": True}
"""Aliases whose server finds the prompt too long, and whether it says so inside of a stream."""


@pytest.fixture(scope="module")
def asked(stack: Any) -> dict[str, Any]:
    """One call to each, made before any figures are looked at: they arrive together."""
    calls = stack.client.chat.completions.with_raw_response
    found: dict[str, Any] = {alias: calls.create(model=alias, messages=ASK) for alias in FAILING}
    for alias, stream in PICKY.items():
        with pytest.raises(openai.UnprocessableEntityError) as told:
            stack.client.chat.completions.create(model=alias, messages=ASK, stream=stream)
        found[alias] = told.value
    return found


@pytest.mark.parametrize("alias", FAILING)
def test_a_route_that_fails_before_its_first_byte_is_counted_and_another_answers(
    stack: Any, asked: dict[str, Any], alias: str
) -> None:
    raw = asked[alias]
    _deployment, (first, second) = alias_of(stack, alias)
    assert raw.parse().choices[0].message.content == ANSWER
    assert (raw.headers[ROUTE], raw.headers[SERVED_BY]) == (second, "up-ok")
    found = figures(stack, alias, 2)
    assert found[first].calls == found[first].errors >= 1 and found[first].p50_ms is None
    assert (found[second].calls, found[second].errors) == (1, 0) and found[second].p50_ms
    assert (found[second].prompt_tokens, found[second].completion_tokens) == (11, 7)


@pytest.mark.parametrize("alias", PICKY)
def test_a_callers_own_mistake_is_told_truly_and_never_tried_elsewhere(
    stack: Any, asked: dict[str, Any], alias: str
) -> None:
    assert "must be <= 2048" in str(asked[alias])
    _deployment, (first, _second) = alias_of(stack, alias)
    found = figures(stack, alias, 1)
    assert set(found) == {first} and (found[first].calls, found[first].errors) == (1, 0)


def test_after_the_first_byte_nobody_else_is_asked(stack: Any) -> None:
    before = len(stack.upstream.requests)
    raw = stack.client.chat.completions.with_raw_response.create(model="half-cut", messages=ASK, stream=True)
    with pytest.raises(openai.APIError, match="in the middle"):
        list(raw.parse())
    assert len(stack.upstream.requests) == before + 1 and stack.entry(raw.headers[LOG_ID]).status == "cut"


def test_a_server_that_says_yes_and_then_nothing_has_given_no_answer(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model="mute", messages=ASK, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse()) == ANSWER
    assert raw.headers[SERVED_BY] == "up-ok" and stack.entry(raw.headers[LOG_ID]).served_model == "up-ok"


def test_streams_count_their_first_token_and_their_events(stack: Any) -> None:
    list(stack.client.chat.completions.create(model="triage", messages=ASK, stream=True))
    _deployment, (route,) = alias_of(stack, "triage")
    found = until(lambda: figures(stack, "triage", 1)[route], lambda seen: seen.first_token_p50_ms is not None)
    assert found.completion_tokens > 0 and found.errors == 0


@pytest.mark.parametrize("way", ["user", "safety_identifier", "header"])
def test_a_user_stays_with_one_route_of_a_split_and_users_are_spread(stack: Any, way: str) -> None:
    low = next(f"user-{n}" for n in range(99) if position(f"user-{n}") < 0.5)
    high = next(f"user-{n}" for n in range(99) if position(f"user-{n}") >= 0.5)

    def route_of(user: str) -> str:
        said: Any = {"extra_headers": {"x-session-id": user}} if way == "header" else {"extra_body": {way: user}}
        made = stack.client.chat.completions.with_raw_response.create(model="canary", messages=ASK, **said)
        return str(made.headers[ROUTE])

    assert len({route_of(low) for _ in range(4)}) == 1 and route_of(low) != route_of(high)


def test_a_caller_cannot_choose_an_adapter_or_a_revision(stack: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="its release decides which weights answer"):
        stack.client.chat.completions.create(model="triage", messages=ASK, extra_body={"adapter_id": "other"})
    with pytest.raises(openai.NotFoundError, match="triage"):
        stack.client.chat.completions.create(model="triage-r1", messages=ASK)


def add_shadow(stack: Any, alias: str, served_name: str, percent: float) -> Revision:
    """A ready revision on the fake upstream that shadows the alias."""
    deployment, keys = alias_of(stack, alias)
    database: Database = stack.database
    with database.write() as session:
        model = Model(project_id=stack.project.id, name=f"{alias}-{served_name}-shadow", kind="tuned")
        session.add(model)
        session.flush()
        spec = {"served_name": served_name}
        url = f"http://127.0.0.1:{stack.upstream_port}"
        made = Revision(
            deployment_id=deployment.id, model_id=model.id, number=1, state="ready", endpoint=url, spec=spec
        )
        session.add(made)
        session.flush()
        shadows = [{"revision_id": made.id, "percent": percent}]
        routes = [{"model_id": keys[0], "revision_id": None, "weight": 100}]
        session.add(Release(deployment_id=deployment.id, number=2, routes=routes, shadows=shadows))
    return made


def test_a_shadow_answers_copies_that_nobody_sees_and_both_answers_are_kept_without_secrets(stack: Any) -> None:
    shadow = add_shadow(stack, "triage", "up-dated", 100)
    broken = add_shadow(stack, "canary", "up-failed", 100)
    deployment, (live,) = alias_of(stack, "triage")
    ask: Any = [{"role": "user", "content": f"My key is {KEY_IN_PROMPT}"}]
    ids: list[str] = []

    def shadowed() -> list[ShadowPair]:
        raw = stack.client.chat.completions.with_raw_response.create(model="triage", messages=ask, temperature=0.3)
        assert raw.headers[ROUTE] == live and raw.parse().model == "triage"
        stream = stack.client.chat.completions.create(model="triage", messages=ask, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
        stack.client.chat.completions.create(model="canary", messages=ask)
        ids.append(raw.headers[LOG_ID])
        return Shadows(stack.database, None, None).pairs(deployment.id)  # type: ignore[arg-type]

    found = until(shadowed, lambda seen: len(seen) >= 2)
    assert {pair.log_uid for pair in found} & set(ids) and {pair.revision_id for pair in found} == {shadow.id}
    assert all(pair.live_text == pair.shadow_text == ANSWER and pair.error is None for pair in found)
    assert all(pair.live_route == live and pair.live_ms > 0 and pair.shadow_ms > 0 for pair in found)
    assert not [pair for pair in found if KEY_IN_PROMPT in str(pair.messages)] and "[redacted:" in str(
        found[0].messages
    )
    copies = [request for request in stack.upstream.requests if request["model"] == "up-dated"]
    assert not any("stream" in copy for copy in copies) and any(copy.get("temperature") == 0.3 for copy in copies)
    summary = Shadows(stack.database, None, None).summary(deployment.id, shadow.id)  # type: ignore[arg-type]
    assert summary.same == summary.answered >= 2 and summary.errors == 0 and 0 < summary.same_low < 1
    counted = figures(stack, "triage", 2, shadow=True)
    assert set(counted) == {shadow.id} and counted[shadow.id].errors == 0
    failing = figures(stack, "canary", 1, shadow=True)[broken.id]
    assert failing.calls == failing.errors
    stack.drain()
    ours = [row for row in stack.all_entries() if row.model == "triage" and "[redacted:" in str(row.messages)]
    assert {(row.served_model, row.status, row.revision_id) for row in ours} == {("up-ok", "ok", None)}
