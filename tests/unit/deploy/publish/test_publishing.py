"""Publishing to a folder and to the Hub: whole or not at all, repeatable, and never over what others keep there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import Model
from studio.access.actor import Actor, Role
from studio.deploy.publish.folder import LIST
from studio.deploy.publish.service import Publishing
from studio.deploy.published import hub_repository
from studio.errors import Conflict, InvalidInput, NotAllowed, Unavailable
from studio.jobs.context import JobCancelled
from tests.fakes.hub_models import COMMIT, TOKEN, FakeHubModels
from tests.unit.deploy.publish.conftest import WEIGHTS, Run

ADMIN = Actor.operator()


@pytest.fixture
def hub() -> Iterator[FakeHubModels]:
    with FakeHubModels().running() as running:
        yield running


def test_a_folder_gets_weights_card_and_a_list_of_hashes(
    publishing: Publishing, model: Model, run: Run, tmp_path: Path
) -> None:
    where = tmp_path / "shared" / "triage-v1"
    run(publishing.publish(ADMIN, model.id, str(where)))
    assert (where / "model.safetensors").read_bytes() == WEIGHTS
    assert "# triage-v1" in (where / "README.md").read_text()
    listed = json.loads((where / LIST).read_text())
    assert set(listed) == {path.name for path in where.iterdir()} - {LIST}
    (entry,) = publishing.published(model.id)
    assert (entry["where"], entry["digest"], entry["by"]) == (str(where), model.digest, "ann")


def test_publishing_twice_or_after_a_crash_in_the_middle_ends_in_the_same_files(
    publishing: Publishing, model: Model, run: Run, tmp_path: Path
) -> None:
    where = tmp_path / "shared"
    job = publishing.publish(ADMIN, model.id, str(where))
    stops = iter([False, False, True])
    with pytest.raises(JobCancelled):
        run(job, stop_asked=lambda: next(stops, True))
    assert where.exists() and not (where / LIST).exists()
    first = run(job)
    assert run(job) == first
    assert len(publishing.published(model.id)) == 1


def test_a_folder_with_something_else_in_it_is_left_alone(
    publishing: Publishing, model: Model, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.pdf").write_text("years of work")
    with pytest.raises(Conflict, match=r"already holds other files \(thesis\.pdf\)"):
        run(publishing.publish(ADMIN, model.id, str(tmp_path / "theirs")))
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.pdf"]
    assert publishing.published(model.id) == []


def test_an_object_store_gets_the_same_files(publishing: Publishing, model: Model, run: Run) -> None:
    import fsspec

    run(publishing.publish(ADMIN, model.id, "memory://bucket/triage-v1"))
    store = fsspec.filesystem("memory")
    assert store.cat_file("/bucket/triage-v1/model.safetensors") == WEIGHTS
    assert store.exists(f"/bucket/triage-v1/{LIST}")


def test_the_hub_gets_one_commit_in_a_private_repository(
    publishing: Publishing, model: Model, run: Run, hub: FakeHubModels
) -> None:
    job = publishing.publish(ADMIN, model.id, "hub:acme/triage", key=TOKEN, hub=hub.url)
    assert TOKEN not in json.dumps(job.spec)
    assert run(job) == {"where": f"{hub.url}/acme/triage", "revision": COMMIT}
    with publishing.database.read() as session:
        assert hub_repository(session.get_one(Model, model.id)) == f"acme/triage@{COMMIT}"
    assert hub.commits == 1 and hub.created[0]["name"] == "triage"
    assert hub.created[0].get("private") is True or hub.created[0].get("visibility") == "private"
    assert hub.files["model.safetensors"] == WEIGHTS and b"# triage-v1" in hub.files["README.md"]


@pytest.mark.parametrize(
    ("key", "busy", "error", "words"),
    [
        ("hf_wrong", 0, InvalidInput, "refused the token"),
        (TOKEN, 500, Unavailable, "did not take"),
        (TOKEN, 409, Conflict, "at the same time"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_fix(
    publishing: Publishing, model: Model, run: Run, hub: FakeHubModels, key: str, busy: int, error: type, words: str
) -> None:
    hub.busy = busy
    with pytest.raises(error, match=words):
        run(publishing.publish(ADMIN, model.id, "hub:acme/triage", key=key, hub=hub.url))
    assert publishing.published(model.id) == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("hub:triage", "hub:organisation/name"),
        ("relative/folder", "full path"),
        ("nosuch://bucket/x", "cannot be opened"),
        ("hub:acme/triage", "token"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(
    publishing: Publishing, model: Model, where: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        publishing.publish(ADMIN, model.id, where)


def test_only_admins_publish(publishing: Publishing, model: Model, database: Database, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        publishing.publish(Actor("ed", Role.EDITOR), model.id, str(tmp_path))
