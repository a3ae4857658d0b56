"""Revisions at servers elsewhere, as the reconciler brings them up, finds them again and lets them go."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Deployment, Model, Project, Revision
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.deploy.places import ServingPlaces
from studio.deploy.published import hub_repository
from studio.deploy.reconcile import reconcile, stop_servers
from studio.deploy.targets.seen import SEEN
from studio.errors import Conflict, NotAllowed
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.fakes.endpoints_api import TOKEN, FakeEndpointsApi, asked_by_the_client
from tests.fakes.serving_fireworks import FireworksModels
from tests.fakes.tgi import FakeTgi

Make = Callable[..., Revision]


@pytest.fixture
def places(database: Database, settings: Settings) -> ServingPlaces:
    return ServingPlaces(database, SecretBox(settings.secrets))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpointsApi]:
    yield from asked_by_the_client(monkeypatch)


@pytest.fixture
def revision_at(database: Database, project: Project, settings: Settings) -> Make:
    def make(kind: str, place_id: str, key: str = "", **values: Any) -> Revision:
        with database.write() as session:
            model = Model(project_id=project.id, name="tuned", kind="tuned", hub_id="acme/triage", hub_revision="abc")
            deployment = Deployment(project_id=project.id, alias="triage")
            session.add_all([model, deployment])
            session.flush()
            sealed = SecretBox(settings.secrets).encrypt(key) if key else ""
            row = Revision(
                deployment_id=deployment.id,
                model_id=model.id,
                number=1,
                target=kind,
                place_id=place_id,
                **{"state": "launching", "spec": {"served_name": "triage-r1", "encrypted_key": sealed}, **values},
            )
            session.add(row)
        return row

    return make


@pytest.fixture
def step(database: Database, settings: Settings, artifacts: Artifacts) -> Callable[[Revision], Revision]:
    """One pass of the worker, and the revision after it. A look that was good for a while is forgotten."""

    def go(revision: Revision) -> Revision:
        (settings.root / "servers" / revision.id / SEEN).unlink(missing_ok=True)
        reconcile(database, settings, artifacts)
        with database.read() as session:
            return session.get_one(Revision, revision.id)

    return go


def test_an_endpoint_gets_its_address_later_and_is_paused_at_the_end(
    hub: FakeEndpointsApi,
    places: ServingPlaces,
    revision_at: Make,
    step: Callable[[Revision], Revision],
    database: Database,
    operator: Actor,
) -> None:
    place = places.save(operator, "hf", "endpoints", "", TOKEN, {"confirmed": True})
    revision = step(revision_at("endpoints", place.id, TOKEN))
    assert (revision.endpoint, revision.spec["served_name"]) == ("", "/repository")
    assert hub.asked[0]["model"]["repository"] == "acme/triage" and hub.asked[0]["model"]["revision"] == "abc"
    assert step(revision).endpoint == ""
    hub.move(revision.handle, "running")
    assert step(revision).endpoint == hub.serves
    with database.write() as session:
        session.get_one(Revision, revision.id).desired = "stopped"
    for _ in range(2):
        revision = step(revision)
    assert (revision.state, revision.handle) == ("stopped", "")
    assert [found["status"]["state"] for found in hub.endpoints.values()] == ["paused"]


def test_an_endpoint_goes_on_when_the_studio_stops(
    hub: FakeEndpointsApi,
    places: ServingPlaces,
    revision_at: Make,
    step: Callable[[Revision], Revision],
    database: Database,
    settings: Settings,
    artifacts: Artifacts,
    operator: Actor,
) -> None:
    place = places.save(operator, "hf", "endpoints", "", TOKEN, {"confirmed": True})
    revision = step(revision_at("endpoints", place.id, TOKEN))
    stop_servers(database, settings, artifacts)
    assert hub.asked_for("/pause") == 0 and step(revision).handle == revision.handle
    assert len(hub.asked) == 1


@pytest.fixture
def fireworks() -> Iterator[FireworksModels]:
    server = FireworksModels()
    yield server
    server.close()


def test_a_deployment_at_fireworks_serves_what_was_published_there_and_is_deleted_at_the_end(
    fireworks: FireworksModels,
    places: ServingPlaces,
    revision_at: Make,
    step: Callable[[Revision], Revision],
    database: Database,
    operator: Actor,
) -> None:
    options = {"confirmed": True, "account": "acme"}
    place = places.save(operator, "fw", "fireworks", fireworks.origin, fireworks.key, options)
    made = revision_at("fireworks", place.id, fireworks.key)
    with database.write() as session:
        entry = {"company": "fireworks", "model": "accounts/acme/models/triage", "digest": ""}
        session.get_one(Model, made.model_id).facts = {"published": [entry]}
    revision = step(made)
    assert (revision.state, revision.dialect, revision.endpoint) == ("launching", "shared", "")
    assert revision.spec["served_name"] == f"accounts/acme/models/triage#{revision.handle}"
    assert step(revision).endpoint == ""
    fireworks.move(revision.handle, "READY")
    assert step(revision).endpoint == f"{fireworks.origin}/inference"
    assert fireworks.asked_for("POST /v1/accounts/acme/deployments$") == 1
    with database.write() as session:
        session.get_one(Revision, revision.id).desired = "stopped"
    for _ in range(2):
        revision = step(revision)
    assert (revision.state, revision.handle) == ("stopped", "")
    assert [found["state"] for found in fireworks.deployments.values()] == ["DELETED"]


def test_only_what_can_sleep_is_put_to_sleep(
    hub: FakeEndpointsApi,
    places: ServingPlaces,
    revision_at: Make,
    step: Callable[[Revision], Revision],
    operator: Actor,
) -> None:
    place = places.save(operator, "hf", "endpoints", "", TOKEN, {"confirmed": True})
    revision = step(revision_at("endpoints", place.id, TOKEN))
    places.scale_to_zero(operator, revision.id)
    assert hub.endpoints[revision.handle]["status"]["state"] == "scaledToZero"


def test_an_external_server_cannot_be_put_to_sleep(
    places: ServingPlaces, revision_at: Make, step: Callable[[Revision], Revision], operator: Actor
) -> None:
    with FakeTgi(name="/data/model").running() as server:
        place = places.save(operator, "theirs", "external", server.url, "", {"model": "/data/model"})
        revision = step(revision_at("external", place.id))
        assert (revision.endpoint, revision.dialect) == (server.url, "tgi")
        assert revision.spec["served_name"] == "/data/model"
        with pytest.raises(Conflict, match="cannot sleep"):
            places.scale_to_zero(operator, revision.id)


def test_checking_a_place_says_what_is_wrong_and_raises_nothing(places: ServingPlaces, operator: Actor) -> None:
    with FakeTgi(name="/data/model").running() as server:
        place = places.save(operator, "theirs", "external", server.url)
        assert places.check(operator, place.id).offers == {"dialect": "tgi"}
    with socket.socket() as taken:  # an address where nobody listens, and nobody else can
        taken.bind(("127.0.0.1", 0))
        nobody = places.save(operator, "gone", "external", f"http://127.0.0.1:{taken.getsockname()[1]}")
        gone = places.check(operator, nobody.id)
    assert not gone.ok and "Nothing answers" in gone.sentence


@pytest.mark.parametrize(
    ("published", "hub_id", "found"),
    [
        ([], "", ""),
        ([], "acme/base", "acme/base"),
        ([{"where": "/shared/models/x", "revision": "", "digest": "d1"}], "", ""),
        ([{"where": "https://hub/acme/old", "repository": "acme/old", "revision": "1", "digest": "d0"}], "", ""),
        (
            [
                {"where": "https://hub/acme/first", "repository": "acme/first", "revision": "1", "digest": "d1"},
                {"where": "https://hub/acme/second", "repository": "acme/second", "revision": "2", "digest": "d1"},
                {"where": "s3://bucket/x", "revision": "", "digest": "d1"},
            ],
            "acme/base",
            "acme/second@2",
        ),
    ],
)
def test_the_repository_is_where_these_very_weights_were_pushed_last(
    published: list[dict[str, str]], hub_id: str, found: str
) -> None:
    model = Model(project_id="p", name="m", kind="tuned", digest="d1", hub_id=hub_id, facts={"published": published})
    assert hub_repository(model) == found


@pytest.fixture
def deployments(database: Database, artifacts: Artifacts, settings: Settings) -> Deployments:
    return Deployments(database, artifacts, Jobs(database), settings)


@pytest.fixture
def tuned(database: Database, project: Project) -> Model:
    with database.write() as session:
        model = Model(project_id=project.id, name="tuned", kind="tuned", digest="d1")
        session.add(model)
    return model


def test_an_address_of_ones_own_is_an_admins_and_a_saved_place_is_everybodys(
    deployments: Deployments,
    places: ServingPlaces,
    settings: Settings,
    project: Project,
    tuned: Model,
    operator: Actor,
    editor: Actor,
) -> None:
    inside = {"url": "http://127.0.0.1:8501"}
    with pytest.raises(NotAllowed):
        deployments.deploy(editor, project.id, "triage", tuned.id, "external", inside)
    deployments.deploy(operator, project.id, "triage", tuned.id, "external", inside)
    place = places.save(operator, "theirs", "external", "http://127.0.0.1:8501", "their-key")
    revision = deployments.deploy(editor, project.id, "triage", tuned.id, "external", place_id=place.id)
    assert SecretBox(settings.secrets).decrypt(revision.spec["encrypted_key"]) == "their-key"
