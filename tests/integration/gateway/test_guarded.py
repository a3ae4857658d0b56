"""A canary that fails its calls loses them by itself: real gateway, its own figures, and no caller is failed."""

import time

import pytest

from storage.tables import Deployment, Model, Release, Revision
from studio.deploy.guard import guard
from tests.integration.gateway.conftest import PATIENT_S, Stack

pytestmark = pytest.mark.slow


def with_a_broken_canary(stack: Stack) -> tuple[Deployment, Revision]:
    """Half of `guarded` goes to a revision whose server says 500, half to the provider's model of `triage`."""
    with stack.database.write() as session:
        teacher = session.query(Model).filter_by(name="triage-up-ok").one()
        alias = Deployment(project_id=stack.project.id, alias="guarded")
        tuned = Model(project_id=stack.project.id, name="tuned", kind="tuned")
        session.add_all([alias, tuned])
        session.flush()
        canary = Revision(
            deployment_id=alias.id,
            model_id=tuned.id,
            number=1,
            state="ready",
            dialect="openai",
            endpoint=f"http://127.0.0.1:{stack.upstream_port}",
            spec={"served_name": "up-broken"},
        )
        session.add(canary)
        session.flush()
        live = {"model_id": teacher.id, "revision_id": None}
        ours = {"model_id": tuned.id, "revision_id": canary.id}
        session.add(Release(deployment_id=alias.id, number=1, routes=[{**live, "weight": 100}]))
        session.add(Release(deployment_id=alias.id, number=2, routes=[{**ours, "weight": 50}, {**live, "weight": 50}]))
    return alias, canary


def test_the_guardrail_takes_a_failing_canary_out_by_the_gateways_own_figures(patient_stack: Stack) -> None:
    alias, canary = with_a_broken_canary(patient_stack)
    made: list[Release] = []
    deadline, statuses = time.monotonic() + 2 * PATIENT_S, []
    while not made and time.monotonic() < deadline:
        body = {"model": "guarded", "messages": [{"role": "user", "content": "Hello"}]}
        statuses.append(patient_stack.web.post("/v1/chat/completions", json=body).status_code)
        made = guard(patient_stack.database)
    (release,) = made
    assert release.deployment_id == alias.id and release.created_by == "guardrail"
    assert "guardrail: revision 1:" in release.reason and "calls failed" in release.reason
    assert {route["revision_id"]: route["weight"] for route in release.routes} == {None: 100}
    assert {status for status in statuses if status != 404} == {200}, "the gateway knows a new alias within a second"
    assert canary.id not in release.evidence["revisions"]
