"""Places: what may be saved, by whom, what a key may never do, and what checking one says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.places import PlaceRepository
from storage.tables import AuditEvent, DatasetVersion, Model, TrainingRun
from studio.access.actor import Actor
from studio.access.secrets import SecretBox
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.places import Places, gpus_at
from studio.train.runners.catalog import KINDS
from studio.train.runners.ray import RayRunner
from studio.train.runs import Training
from tests.fakes.ray_server import TOKEN, FakeRay, fake_ray


@pytest.fixture
def places(database: Database, settings: Settings) -> Places:
    return Places(database, SecretBox(settings.secrets))


@pytest.fixture
def ray(tmp_path: Path) -> Iterator[FakeRay]:
    with fake_ray(tmp_path) as found:
        yield found


def test_a_place_is_saved_with_its_key_sealed_and_never_shown(
    places: Places, database: Database, operator: Actor
) -> None:
    saved = places.save(operator, "box", "ray", "https://ray.example:8265/", "s3cret", {"gpus": "2"}, 3.5)
    assert (saved.url, saved.options, saved.encrypted_key) == ("https://ray.example:8265", {"gpus": 2.0}, "")
    assert [place.encrypted_key for place in places.all()] == [""]
    with database.read() as session:
        row = PlaceRepository(session).named("box")
        trail = [event.detail for event in session.exec(select(AuditEvent))]
    assert row is not None and row.encrypted_key and "s3cret" not in row.encrypted_key
    assert "s3cret" not in str(trail)
    assert places.opened("box")[1] == "s3cret"


def test_only_an_admin_may_save_or_delete(places: Places, editor: Actor, operator: Actor) -> None:
    with pytest.raises(NotAllowed):
        places.save(editor, "box", "ray", "http://127.0.0.1:8265")
    saved = places.save(operator, "box", "ray", "http://127.0.0.1:8265")
    with pytest.raises(NotAllowed):
        places.delete(editor, saved.id)
    places.delete(operator, saved.id)
    assert places.all() == []
    with pytest.raises(NotFound):
        places.delete(operator, saved.id)


@pytest.mark.parametrize("url", ["http://10.1.2.3:8265", "http://ray.example", "http://127.0.0.1.example:8265"])
def test_a_ray_off_this_machine_needs_a_token(places: Places, operator: Actor, url: str) -> None:
    with pytest.raises(InvalidInput, match="needs a token"):
        places.save(operator, "box", "ray", url)
    with pytest.raises(InvalidInput, match="needs a token"):
        RayRunner(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8265", "http://localhost:8265", "http://[::1]:8265"])
def test_a_ray_on_this_machine_needs_none(places: Places, operator: Actor, url: str) -> None:
    assert places.save(operator, "box", "ray", url).url == url


@pytest.mark.parametrize(
    "url", ["ftp://x", "ray.example:8265", "http://", "http://me:pw@h", "http://h/?a=b", "http://h/#x", "http://h:0"]
)
def test_an_address_must_be_one(places: Places, operator: Actor, url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        places.save(operator, "box", "ray", url, "t")


def test_a_saved_key_never_follows_its_place_to_another_origin(places: Places, operator: Actor) -> None:
    places.save(operator, "box", "ray", "https://ray.example:8265", "s3cret")
    places.save(operator, "box", "ray", "https://ray.example:8265/here", options={"gpus": 1})
    assert places.opened("box")[1] == "s3cret"
    for elsewhere in ("https://evil.example:8265", "http://ray.example:8265", "https://ray.example:1"):
        with pytest.raises(InvalidInput, match="never sent elsewhere"):
            places.save(operator, "box", "ray", elsewhere)


@pytest.mark.parametrize("name", ["", "local", "Local", "a" * 41, "../x", "-x"])
def test_a_name_must_be_one_and_not_this_machine(places: Places, operator: Actor, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        places.save(operator, name, "accelerate")


def test_what_a_kind_needs_is_asked_for(places: Places, operator: Actor) -> None:
    with pytest.raises(InvalidInput, match="needs an address"):
        places.save(operator, "box", "ray")
    with pytest.raises(InvalidInput, match="needs a key"):
        places.save(operator, "hub", "hf_jobs")
    with pytest.raises(InvalidInput, match="no kind of place"):
        places.save(operator, "box", "slurm")
    places.save(operator, "box", "accelerate")
    with pytest.raises(Conflict, match="another kind"):
        places.save(operator, "box", "ray", "http://127.0.0.1:1")


def test_an_unknown_option_names_the_nearest(places: Places, operator: Actor) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'gpus'"):
        places.save(operator, "box", "ray", "http://127.0.0.1:1", options={"gpu": 1})
    with pytest.raises(InvalidInput, match="It is a number"):
        places.save(operator, "box", "ray", "http://127.0.0.1:1", options={"gpus": "many"})
    with pytest.raises(InvalidInput, match="whole path"):
        places.save(operator, "box", "ray", "http://127.0.0.1:1", options={"folder": "../here"})


def test_options_take_the_form_that_their_kind_wants(places: Places, operator: Actor) -> None:
    given = {"pip": "trl\n\n peft ", "gpus": "", "start_within_minutes": 5, "python": " python3 "}
    saved = places.save(operator, "box", "ray", "http://127.0.0.1:1", options=given)
    assert saved.options == {"pip": ["trl", "peft"], "start_within_minutes": 5.0, "python": "python3"}
    hosted = {"models": "qwen = acme/qwen-ft\nllama=acme/llama", "confirmed": "yes"}
    saved = places.save(operator, "acme", "together", key="k", options=hosted)
    assert saved.options == {"models": {"qwen": "acme/qwen-ft", "llama": "acme/llama"}, "confirmed": True}


def test_checking_says_what_is_wrong(places: Places, operator: Actor, ray: FakeRay) -> None:
    def said(key: str, url: str = ray.url) -> tuple[bool, str]:
        place = places.save(operator, "box", "ray", url, key)
        found = places.check(operator, place.id)
        return found.ok, found.sentence

    assert said(TOKEN) == (True, "Ray 2.60.0 answers.")
    assert said("wrong")[1].startswith(f"{ray.url} refused the token (HTTP 403)")
    ray.unwell = True
    assert "not ready (HTTP 503)" in said(TOKEN)[1]
    assert "does not answer" in said(TOKEN, "http://127.0.0.1:9")[1]


def test_a_place_of_this_machine_says_what_it_would_use(
    places: Places, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    saved = places.save(operator, "all", "accelerate")
    assert places.check(operator, saved.id).sentence == "2 GPUs here."


def test_a_key_is_not_sent_where_a_place_redirects(places: Places, operator: Actor, ray: FakeRay) -> None:
    heard: list[str] = []

    class Thief(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    thief = ThreadingHTTPServer(("127.0.0.1", 0), Thief)
    threading.Thread(target=thief.serve_forever, args=(0.02,), daemon=True).start()
    ray.moved = f"http://127.0.0.1:{thief.server_port}"
    place = places.save(operator, "box", "ray", ray.url, TOKEN)
    found = places.check(operator, place.id)
    thief.shutdown()
    thief.server_close()
    assert not found.ok and "never sent on" in found.sentence
    assert heard == []


def test_a_place_with_a_run_under_way_is_not_deleted(
    places: Places, database: Database, operator: Actor, version: DatasetVersion, base: Model
) -> None:
    place = places.save(operator, "box", "accelerate")
    with database.write() as session:
        job = Jobs(database).enqueue(session, operator, "train", {}, title="Train cups")
        facts = {"dataset_version_id": version.id, "base_model_id": base.id, "project_id": base.project_id}
        session.add(TrainingRun(name="cups", runner="box", job_id=job.id, **facts))
    with pytest.raises(Conflict, match="cups did not finish"):
        places.delete(operator, place.id)
    Jobs(database).cancel(operator, job.id)
    places.delete(operator, place.id)


def test_the_catalog_tells_every_kind_apart() -> None:
    assert set(KINDS) == {"accelerate", "ray", "hf_jobs", "together", "fireworks", "openai", "bedrock"}
    for kind in KINDS.values():
        assert len({option.name for option in kind.options}) == len(kind.options), kind.name
        assert not kind.costs or kind.option("confirmed") is not None, kind.name


def test_a_run_on_all_gpus_of_this_machine_takes_them_from_the_worker(
    places: Places, database: Database, operator: Actor
) -> None:
    places.save(operator, "box", "ray", "http://127.0.0.1:1", options={"gpus": 8})
    places.save(operator, "two", "accelerate", options={"processes": 2})
    with database.read() as session:
        taken = {name: gpus_at(session, name, 4) for name in ("local", "accelerate", "two", "box")}
        with pytest.raises(InvalidInput, match="no place named"):
            gpus_at(session, "gone", 4)
    assert taken == {"local": 0, "accelerate": 4, "two": 2, "box": 0}


def test_a_run_is_not_queued_for_a_place_that_there_is_not(
    training: Training, version: DatasetVersion, base: Model, operator: Actor
) -> None:
    with pytest.raises(InvalidInput, match="no place named “gone”"):
        training.start(operator, version.id, base.id, runner="gone")
    assert training.all(base.project_id) == []
