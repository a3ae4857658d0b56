"""A model that no address answers with (a company trained it and serves it only after a purchase) is refused."""

from __future__ import annotations

import asyncio

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Release
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.asking.provider import ProviderClient
from studio.deploy.deployments import Deployments
from studio.deploy.router import RoutingTable
from studio.errors import InvalidInput
from studio.evaluate.evaluations import Evaluations
from studio.gateway.errors import ApiError
from studio.gateway.routing import Routing
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.frozen_rows import freeze_rows, make_row

TOLD = "“cups” has no address that answers with it. Buy throughput first. Add that address under Settings, Providers"


@pytest.fixture
def silent(database: Database, project: Project) -> Model:
    """What Bedrock leaves: a provider's model without a provider."""
    with database.write() as session:
        model = Model(project_id=project.id, name="cups", kind="provider", provider_model="arn:aws:cups")
        model.facts = {"hosted": {"note": "Buy throughput first."}}
        session.add(model)
    return model


def test_it_gets_no_alias_and_no_share_of_one(
    deployments: Deployments, editor: Actor, project: Project, silent: Model, teacher: Model
) -> None:
    with pytest.raises(InvalidInput, match=TOLD):
        deployments.ensure_alias(editor, project.id, "triage", silent.id)
    alias = deployments.ensure_alias(editor, project.id, "triage", teacher.id)
    with pytest.raises(InvalidInput, match=TOLD):
        deployments.release(editor, alias.id, [{"model_id": silent.id, "revision_id": None, "weight": 100}], "try")
    with pytest.raises(InvalidInput, match=TOLD):
        deployments.deploy(editor, project.id, "triage", silent.id)


def test_it_is_not_compared_and_not_asked(
    database: Database, artifacts: Artifacts, settings: Settings, project: Project, editor: Actor, silent: Model
) -> None:
    version = freeze_rows(database, artifacts, project.id, [make_row("a", "b")], [make_row("c", "d", verified=True)])
    with pytest.raises(InvalidInput, match=TOLD):
        Evaluations(database, artifacts, Jobs(database)).start(editor, version.id, [silent.id])
    with pytest.raises(InvalidInput, match="arn:aws:cups"):
        ProviderClient(silent, database, settings)


def asked(routing: Routing, project: Project, name: str) -> ApiError:
    asyncio.run(routing.refresh())
    with pytest.raises(ApiError) as told:
        routing.pick(project.id, name, None)
    return told.value


def test_the_gateway_says_that_nothing_answers(
    database: Database,
    deployments: Deployments,
    settings: Settings,
    editor: Actor,
    project: Project,
    silent: Model,
    teacher: Model,
) -> None:
    alias = deployments.ensure_alias(editor, project.id, "triage", teacher.id)
    with database.write() as session:  # a release of old, from before such a model was refused
        routes = [{"model_id": silent.id, "revision_id": None, "weight": 100}]
        session.add(Release(deployment_id=alias.id, number=2, routes=routes))
    routing = Routing(lambda: RoutingTable.load(database, SecretBox(settings.secrets)))
    told = asked(routing, project, "triage")
    assert told.status == 503 and "No model answers for 'triage' now: it has no address." in told.message
    assert asked(routing, project, "cups").status == 404
