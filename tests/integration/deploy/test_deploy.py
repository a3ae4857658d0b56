"""From weights to traffic with real servers: gates, shares, undo, crashes, and a worker that comes back."""

import os
import signal
import time
from collections.abc import Callable

import openai
import pytest

from storage.tables import Revision
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.deploy.gates import GATES
from studio.deploy.router import Route, RoutingTable
from studio.errors import Conflict
from studio.jobs import processes
from tests.integration.deploy.conftest import Workplace

pytestmark = pytest.mark.slow


def wait_for(
    deployments: Deployments, revision_id: str, test: Callable[[Revision], bool], seconds: float = 240
) -> Revision:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        revision = deployments.revision(revision_id)
        if test(revision):
            return revision
        time.sleep(0.1)
    raise AssertionError(f"still {revision.state} after {seconds:.0f} s: {revision.error}")


def pick(workplace: Workplace) -> Route:
    table = RoutingTable.load(workplace.database, SecretBox(workplace.settings.secrets))
    route = table.pick(workplace.project.id, "triage")
    assert route is not None
    return route


def ask(route: Route) -> str:
    client = openai.OpenAI(base_url=route.base_url, api_key=route.api_key, max_retries=0)
    reply = client.chat.completions.create(
        model=route.upstream_model, messages=[{"role": "user", "content": "Hello"}], max_tokens=8, temperature=0
    )
    return reply.choices[0].message.content or ""


def test_a_model_goes_from_weights_to_traffic_and_back_and_survives_a_crash_and_a_new_worker(
    workplace: Workplace,
) -> None:
    deployments, actor = workplace.deployments, workplace.actor
    teacher, tuned = workplace.add_provider_model(), workplace.add_tuned_model("tuned")
    alias = deployments.ensure_alias(actor, workplace.project.id, "triage", teacher.id)
    revision = deployments.deploy(actor, workplace.project.id, "triage", tuned.id)
    with pytest.raises(Conflict, match="not ready"):
        deployments.shift(actor, revision.id, 20)

    assert workplace.run_job(revision.id) == {"revision_id": revision.id, "number": 1}
    ready = deployments.revision(revision.id)
    assert [(entry["gate"], entry["passed"]) for entry in ready.certificate] == [(gate, True) for gate in GATES]
    assert pick(workplace).model_id == teacher.id

    deployments.shift(actor, revision.id, 20)
    deployments.shift(actor, revision.id, 100)
    answer = ask(pick(workplace))
    assert answer

    assert deployments.undo(actor, alias.id).routes != deployments.shift(actor, revision.id, 100).routes

    first = int(ready.handle.partition(":")[0])
    os.kill(first, signal.SIGKILL)
    # Until the server is back, the standby answers.
    wait_for(deployments, revision.id, lambda row: row.state == "restarting" and pick(workplace).model_id == teacher.id)
    wait_for(deployments, revision.id, lambda row: row.state == "ready")
    assert ask(pick(workplace)) == answer
    assert "crashed" in [event.what for event in deployments.events(alias.id)]

    before = deployments.revision(revision.id)
    workplace.restart_worker_that_forgot(revision.id)
    after = wait_for(deployments, revision.id, lambda row: row.state == "ready")
    assert (after.handle, after.endpoint) == (before.handle, before.endpoint)
    assert ask(pick(workplace)) == answer

    deployments.undo(actor, alias.id)
    deployments.undo(actor, alias.id)
    deployments.stop(actor, revision.id)
    stopped = wait_for(deployments, revision.id, lambda row: row.state == "stopped")
    assert stopped.handle == "" and not processes.is_alive(int(before.handle.partition(":")[0]))


def test_the_wrong_weights_do_not_pass(workplace: Workplace) -> None:
    deployments, actor = workplace.deployments, workplace.actor
    wrong = workplace.add_tuned_model("wrong", weights="base")
    revision = deployments.deploy(actor, workplace.project.id, "triage", wrong.id)
    with pytest.raises(Conflict, match="like the base"):
        workplace.run_job(revision.id)
    failed = wait_for(deployments, revision.id, lambda row: row.state == "failed" and not row.handle)
    assert {entry["gate"]: entry["passed"] for entry in failed.certificate}["golden"] is False
    with pytest.raises(Conflict, match="failed, not ready"):
        deployments.shift(actor, revision.id, 100)
