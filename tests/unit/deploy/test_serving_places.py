"""Serving places: what may be saved, by whom, what a key may never do, and when a place may be forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.serving_places import ServingPlaceRepository
from storage.tables import AuditEvent, Deployment, Model, Project, Revision, ServingPlace
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.deploy.hosting import target_of
from studio.deploy.places import ServingPlaces
from studio.deploy.targets.catalog import TARGETS
from studio.deploy.targets.kinds import KINDS
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.settings import Settings

URL = "http://gpu-1:8000"


@pytest.fixture
def box(settings: Settings) -> SecretBox:
    return SecretBox(settings.secrets)


@pytest.fixture
def places(database: Database, box: SecretBox) -> ServingPlaces:
    return ServingPlaces(database, box)


@pytest.fixture
def revision(database: Database, project: Project, places: ServingPlaces, box: SecretBox, operator: Actor) -> Revision:
    place = places.save(operator, "gpu", "vllm_server", URL, "old-key")
    with database.write() as session:
        model = Model(project_id=project.id, name="tuned", kind="tuned")
        deployment = Deployment(project_id=project.id, alias="triage")
        session.add_all([model, deployment])
        session.flush()
        row = Revision(
            deployment_id=deployment.id,
            model_id=model.id,
            number=3,
            target="vllm_server",
            place_id=place.id,
            state="ready",
            handle="triage-r3=/adapters/a",
            spec={"served_name": "triage-r3", "encrypted_key": box.encrypt("old-key")},
        )
        session.add(row)
    return row


def change(database: Database, revision: Revision, **values: Any) -> None:
    with database.write() as session:
        row = session.get_one(Revision, revision.id)
        for name, value in values.items():
            setattr(row, name, value)


def read(database: Database, revision: Revision) -> Revision:
    with database.read() as session:
        return session.get_one(Revision, revision.id)


def test_a_place_is_saved_with_its_key_sealed_and_never_shown(
    places: ServingPlaces, database: Database, operator: Actor
) -> None:
    saved = places.save(operator, "gpu", "vllm_server", f"{URL}/v1/", "s3cret", {"path_map": "/here=/there"})
    assert (saved.url, saved.options, saved.encrypted_key) == (URL, {"path_map": {"/here": "/there"}}, "")
    assert [place.encrypted_key for place in places.all()] == [""]
    with database.read() as session:
        row = ServingPlaceRepository(session).named("gpu")
        trail = str([event.detail for event in session.exec(select(AuditEvent))])
    assert row is not None and row.encrypted_key and "s3cret" not in row.encrypted_key + trail


def test_only_an_admin_may_save_or_delete(places: ServingPlaces, editor: Actor, operator: Actor) -> None:
    with pytest.raises(NotAllowed):
        places.save(editor, "mine", "external", "http://127.0.0.1:8501")
    saved = places.save(operator, "mine", "external", "http://127.0.0.1:8501")
    with pytest.raises(NotAllowed):
        places.delete(editor, saved.id)
    places.delete(operator, saved.id)
    assert places.find("mine") is None
    with pytest.raises(NotFound):
        places.delete(operator, saved.id)


def test_a_viewer_may_not_ask_places(places: ServingPlaces, viewer: Actor, operator: Actor) -> None:
    saved = places.save(operator, "mine", "external", "http://127.0.0.1:8501")
    with pytest.raises(NotAllowed):
        places.check(viewer, saved.id)


@pytest.mark.parametrize(
    ("kind", "url", "key", "options", "said"),
    [
        ("vlm", URL, "", {}, "no kind of serving place"),
        ("external", "", "", {}, "needs an address"),
        ("external", "gpu-1:8000", "", {}, "must start with http"),
        ("external", "http://me:pw@gpu-1", "", {}, "leave out user names"),
        ("external", "file:///etc/passwd", "", {}, "must start with http"),
        ("external", URL, "", {"dialekt": "tgi"}, "Did you mean 'dialect'"),
        ("external", URL, "", {"dialect": "latin"}, "one of tgi, vllm, openai"),
        ("endpoints", "", "", {}, "needs a key"),
        ("endpoints", URL, "hf_x", {}, "takes no address"),
        ("endpoints", "", "hf_x", {"max_replica": "many"}, "It is a number"),
        ("tgi", "", "secret", {}, "takes no key"),
        ("tgi", "gopher://engine", "", {}, "must start with unix"),
    ],
)
def test_what_is_wrong_is_said(
    places: ServingPlaces, operator: Actor, kind: str, url: str, key: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        places.save(operator, "gpu", kind, url, key, options)


@pytest.mark.parametrize("name", ["", "embedded", "Embedded", "a" * 41, "../etc"])
def test_a_name_that_cannot_be_one_is_refused(places: ServingPlaces, operator: Actor, name: str) -> None:
    with pytest.raises(InvalidInput):
        places.save(operator, name, "external", URL)


def test_a_saved_key_does_not_follow_to_another_origin(places: ServingPlaces, operator: Actor) -> None:
    places.save(operator, "gpu", "vllm_server", URL, "s3cret")
    with pytest.raises(InvalidInput, match="enter the place's key again"):
        places.save(operator, "gpu", "vllm_server", "http://elsewhere:8000")
    places.save(operator, "gpu", "vllm_server", f"{URL}/")


def test_a_place_keeps_its_kind(places: ServingPlaces, operator: Actor) -> None:
    places.save(operator, "gpu", "external", URL)
    with pytest.raises(Conflict, match="another kind"):
        places.save(operator, "gpu", "vllm_server", URL)


def test_a_place_in_use_is_neither_moved_nor_deleted(
    places: ServingPlaces, database: Database, revision: Revision, operator: Actor
) -> None:
    assert revision.place_id
    with pytest.raises(Conflict, match="triage revision 3 is still served"):
        places.delete(operator, revision.place_id)
    with pytest.raises(Conflict, match="triage revision 3 is still served"):
        places.save(operator, "gpu", "vllm_server", "http://elsewhere:8000", "new")
    change(database, revision, state="stopped", desired="stopped", handle="")
    places.save(operator, "gpu", "vllm_server", "http://elsewhere:8000", "new")


def test_a_new_key_reaches_the_revisions_that_answered_to_the_old_one(
    places: ServingPlaces, database: Database, revision: Revision, box: SecretBox, operator: Actor
) -> None:
    places.save(operator, "gpu", "vllm_server", URL, "new-key")
    assert box.decrypt(read(database, revision).spec["encrypted_key"]) == "new-key"


def test_a_revision_with_a_key_of_its_own_keeps_it(
    places: ServingPlaces, database: Database, revision: Revision, box: SecretBox, operator: Actor
) -> None:
    change(database, revision, spec={**revision.spec, "encrypted_key": box.encrypt("its-own")})
    places.save(operator, "gpu", "vllm_server", URL, "new-key")
    assert box.decrypt(read(database, revision).spec["encrypted_key"]) == "its-own"


def test_a_stopped_revision_remembers_the_deleted_place_and_is_not_served_elsewhere(
    places: ServingPlaces, database: Database, revision: Revision, settings: Settings, operator: Actor
) -> None:
    change(database, revision, state="stopped", desired="stopped", handle="")
    assert revision.place_id
    places.delete(operator, revision.place_id)
    left = read(database, revision)
    assert left.place_id is None
    with pytest.raises(NotFound, match="“gpu”, where this revision was served, was deleted"):
        target_of(database, settings, left)


def test_every_kind_is_a_target_and_describes_its_options() -> None:
    assert set(KINDS) <= set(TARGETS)
    for kind in KINDS.values():
        assert kind.about and kind.label
        assert all(option.label for option in kind.options), kind.name
        assert len({option.name for option in kind.options}) == len(kind.options)


def test_a_target_is_built_with_the_key_in_clear(database: Database, revision: Revision, settings: Settings) -> None:
    target = target_of(database, settings, read(database, revision))
    assert target.place.key == "old-key" and "old-key" not in repr(target.place)  # type: ignore[attr-defined]
    with database.read() as session:
        assert session.get_one(ServingPlace, revision.place_id).name == "gpu"
