"""Twenty examples to two people on the real Argilla and back: agreement, corrections, review, restarts."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import standardwebhooks

from storage.database import Database
from storage.tables import Dataset, Example, LabelTask
from studio.access.actor import Actor
from studio.errors import Conflict, Unavailable
from studio.label.argilla_backend import ArgillaBackend, connect
from studio.label.backend import Teammate
from studio.label.draft import TaskDraft
from studio.label.tasks import Labeling
from studio.label.tickets import ticket
from studio.settings import Settings
from tests.fakes.annotators import person
from tests.fakes.argilla_process import ArgillaProcess

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
ME = Actor.operator()
FIXED = '{"category": "returns"}'


def right(output: str) -> dict[str, Any]:
    return {"verdict": "correct", "output": output, "rating": 5}


def wrong(fix: str) -> dict[str, Any]:
    return {"verdict": "wrong", "output": fix, "rating": 2}


def answer_everything(labeling: Labeling, task: LabelTask) -> list[str]:
    """Both agree on 18 items (two of them corrected), differ on the last two; returns the item ids."""
    ids = [item.id for item, _example in labeling.items(task.id)]
    shown = {item.id: item.shown_output for item, _example in labeling.items(task.id)}
    backend = labeling.backend()
    both = {key: right(shown[key]) for key in ids[2:]} | {key: wrong(FIXED) for key in ids[:2]}
    backend.answer_as(task.backend_ref, "mia", both)
    spaced = {ids[0]: wrong('{ "category":   "returns" }')}
    split = {key: wrong('{"category": "billing"}') for key in ids[-2:]}
    backend.answer_as(task.backend_ref, "noah", {**both, **spaced, **split})
    return ids


def test_a_turn_of_labeling(labeling: Labeling, task: LabelTask, database: Database) -> None:
    assert task.state == "open" and task.backend_ref
    ids = answer_everything(labeling, task)

    collected = labeling.sync(task.id)
    assert (collected.new, collected.changed) == (40, 0)
    assert labeling.sync(task.id).new == 0, "collecting again brings nothing twice"
    progress = labeling.progress(task.id)
    assert (progress.items, progress.complete) == (20, 20)
    assert {name: done.submitted for name, done in progress.per_person.items()} == {"mia": 20, "noah": 20}

    agreement = {each.question: each for each in labeling.agreement(task.id)}
    assert agreement["verdict"].percent == 90 and agreement["verdict"].n == 20
    assert agreement["output"].percent == 90, "white space in JSON is no disagreement"
    verdict = agreement["verdict"]
    assert verdict.kappa is not None and verdict.low is not None and verdict.high is not None
    assert verdict.low < verdict.kappa < verdict.high

    applied = labeling.apply(ME, task.id)
    assert (applied.confirmed, applied.corrected, applied.disputed) == (16, 2, 2)
    assert str(labeling.apply(ME, task.id)) == str(applied), "applying again changes nothing"
    corrected, confirmed, disputed = (example_of(database, labeling, task, ids[at]) for at in (0, 5, -1))
    assert (corrected.output, corrected.output_source, corrected.verified) == (FIXED, "people", True)
    assert confirmed.verified and confirmed.output == confirmed.original_output
    assert not disputed.verified

    [first, second] = labeling.disputes(project_of(database, task))
    labeling.decide(ME, first.item_id, '{"category": "billing"}')
    labeling.leave_out(ME, second.item_id)
    assert labeling.disputes(project_of(database, task)) == []
    assert example_of(database, labeling, task, first.item_id).output == '{"category": "billing"}'
    assert example_of(database, labeling, task, second.item_id).excluded == "disputed"
    assert labeling.apply(ME, task.id).reviewed == 2, "review's word stands"
    assert labeling.close(ME, task.id).state == "closed"


def test_publishing_again_after_an_interruption_makes_no_second_task(
    labeling: Labeling, task: LabelTask, run_publish: Callable[[str], None]
) -> None:
    before = {item.backend_ref for item, _example in labeling.items(task.id)}
    run_publish(task.id)
    assert labeling.get(task.id).backend_ref == task.backend_ref
    assert {item.backend_ref for item, _example in labeling.items(task.id)} == before and len(before) == 20


def test_shares_are_what_each_persons_queue_holds(
    labeling: Labeling, dataset: Dataset, run_publish: Callable[[str], None], argilla: ArgillaProcess
) -> None:
    draft = TaskDraft(
        dataset.id, "Shared", size=20, answers_per_item=1, people=("mia", "noah"), assignment="split", shares={"mia": 3}
    )
    made = labeling.create(ME, draft)
    run_publish(made.id)
    ref = labeling.get(made.id).backend_ref
    queues = [
        {each["record"]["external_id"] for each in person(argilla, name).send("POST", path, {})["items"]}
        for name in ("mia", "noah")
        for path in [f"/me/datasets/{ref}/records/search?limit=50"]
    ]
    assert [len(queue) for queue in queues] == [15, 5] and not queues[0] & queues[1]
    for item, _example in labeling.items(made.id):
        assert [name for name, queue in zip(("mia", "noah"), queues, strict=True) if item.id in queue] == item.asked


class Heard(BaseHTTPRequestHandler):
    """Keeps what a webhook delivers, once its signature is right."""

    secret = ""
    events: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.events.append(standardwebhooks.Webhook(self.secret).verify(body, headers)["type"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_parts: object) -> None:
        """Quiet."""


def test_a_restart_keeps_every_answer_and_new_ones_are_told_by_webhook(
    labeling: Labeling, task: LabelTask, argilla: ArgillaProcess
) -> None:
    first, second, *_others = (item.id for item, _example in labeling.items(task.id))
    labeling.backend().answer_as(task.backend_ref, "mia", {first: right("x")})
    argilla.kill()
    with pytest.raises(Unavailable):
        labeling.sync(task.id)
    assert not labeling.health().ok

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Heard)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    argilla.arguments = ("--webhook", f"http://127.0.0.1:{receiver.server_port}/")
    argilla.start()
    assert labeling.health().ok
    assert labeling.sync(task.id).new == 1
    Heard.secret = "whsec_" + base64.b64encode((argilla.home / "webhook_secret").read_bytes()).decode()
    labeling.backend().answer_as(task.backend_ref, "mia", {second: right("y")})
    deadline = time.monotonic() + 90
    while not Heard.events and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "response.created" in Heard.events
    receiver.shutdown()
    receiver.server_close()


def test_a_ticket_signs_in_once_and_only_where_it_should(labeling: Labeling, task: LabelTask) -> None:
    url = labeling.enter_url(Actor.operator("olga"), task.id)
    first, again = httpx.get(url, trust_env=False), httpx.get(url, trust_env=False)
    assert first.status_code == 200 and "Bearer " in first.text and first.headers["cache-control"] == "no-store"
    assert again.status_code == 403 and "Bearer" not in again.text


def test_tickets_that_are_old_forged_or_for_the_owner_are_refused(argilla: ArgillaProcess) -> None:
    secret = argilla.backend.shared_secret
    bad = [
        ticket(secret, "mia", seconds=-1),
        ticket("another key", "mia"),
        ticket(secret, "whetstone-service"),
        "",
        "a.b.c",
    ]
    answers = [enter(argilla, {"ticket": each, "to": "/"}) for each in bad]
    assert [answer.status_code for answer in answers] == [403] * len(bad)


def test_a_ticket_leads_to_no_other_site(argilla: ArgillaProcess) -> None:
    secret = argilla.backend.shared_secret
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        page = enter(argilla, {"ticket": ticket(secret, "mia"), "to": target})
        assert page.status_code == 200 and "evil" not in page.text and "javascript:" not in page.text
    page = enter(argilla, {"ticket": ticket(secret, "mia"), "to": "/</script><script>alert(1)"})
    assert page.text.count("<script>") == 1


def test_nobody_takes_over_the_service_account(argilla: ArgillaProcess, task: LabelTask) -> None:
    with pytest.raises(Conflict, match="owner"):
        argilla.backend.enter_url(Teammate("whetstone-service"), "any", task.backend_ref)


def test_a_labeler_is_an_annotator_and_a_changed_role_follows(argilla: ArgillaProcess) -> None:
    backend = argilla.backend
    for is_admin, role in ((False, "annotator"), (True, "admin"), (False, "annotator")):
        backend.enter_url(Teammate("rita", is_admin), "roles", "x")
        assert [user["role"] for user in backend.rest.get("/users")["items"] if user["username"] == "rita"] == [role]


def test_very_long_conversations_arrive_whole(labeling: Labeling, dataset: Dataset, database: Database) -> None:
    backend: Any = labeling.backend()
    from studio.label.backend import Item, Question, QuestionKind, TaskSpec

    long = "word " * 20_000
    spec = TaskSpec("long-one", "long", "", (Question("rating", "Good?", QuestionKind.RATING),), 1)
    ref = backend.publish(spec, [Item("k", [{"role": "user", "content": long}], "a")], lambda _sent: None).ref
    [record] = backend.rest.records(ref)
    assert record["fields"]["conversation"][0]["content"] == long


def test_the_embedded_server_is_found_by_the_settings(settings: Settings, tmp_path: object) -> None:
    assert connect(settings).health().ok
    elsewhere = ArgillaBackend("http://127.0.0.1:9", "key")
    assert "does not answer" in elsewhere.health().text


def enter(argilla: ArgillaProcess, query: dict[str, str]) -> httpx.Response:
    return httpx.get(f"{argilla.url}/studio/enter", params=query, trust_env=False)


def example_of(database: Database, labeling: Labeling, task: LabelTask, item_id: str) -> Example:
    return next(example for item, example in labeling.items(task.id) if item.id == item_id)


def project_of(database: Database, task: LabelTask) -> str:
    with database.read() as session:
        found = session.get(Dataset, task.dataset_id)
        assert found
        return found.project_id
