"""What labeling costs: publishing with and without the launcher's shortcuts, queues and searches, an answer's way back.

2,000 records; `STUDIO_BENCH_RECORDS=20000` for the large version. Every figure is printed with the machine's load.
"""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.database import Database
from storage.repositories.labels import AnnotationRepository, LabelItemRepository
from storage.tables import Dataset, Example, LabelItem, LabelTask, Person, Project
from storage.types import new_id
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Item, Published, Question, QuestionKind, TaskSpec, Teammate
from studio.label.publishing import publish_task
from studio.settings import Settings
from studio.worker import LISTEN_S, Periodic, _collect
from tests.fakes.annotators import PENDING, Crowd, person, sample_items
from tests.fakes.argilla_process import ArgillaProcess, free_port
from tests.integration.gateway.conftest import running_gateway

RECORDS = int(os.environ.get("STUDIO_BENCH_RECORDS", "2000"))
LOOKS, ANSWERS = 15, 40
PEOPLE = tuple(Teammate(f"p{number}") for number in range(3))
QUESTIONS = (
    Question("rating", "Good?", QuestionKind.RATING),
    Question("verdict", "Right?", QuestionKind.LABEL, ("correct", "wrong"), required=False),
    Question("output", "Answer", QuestionKind.TEXT, required=False),
)
pytestmark = [pytest.mark.argilla, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def argilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgillaProcess]:
    server = ArgillaProcess(tmp_path_factory.mktemp("quick") / "argilla").start()
    yield server
    server.kill()


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgillaProcess]:
    """The same server without the launcher's two shortcuts."""
    monkeypatch.setenv("WHETSTONE_ARGILLA_STOCK", "1")
    server = ArgillaProcess(tmp_path / "argilla").start()
    yield server
    server.kill()


def say(text: str) -> None:
    print(f"{text} (load {os.getloadavg()[0]:.1f})")


def spread(name: str, seconds: list[float]) -> None:
    p50, p95 = (1000 * statistics.quantiles(seconds, n=100, method="inclusive")[at] for at in (49, 94))
    say(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {1000 * max(seconds):.0f} ms, n = {len(seconds)}")


def publish(server: ArgillaProcess, items: list[Item], on_sent: Callable[[int], None] = lambda _n: None) -> Published:
    task = TaskSpec(f"bench-{new_id()}", "bench", "", QUESTIONS, 2, PEOPLE)
    return server.backend.publish(task, items, on_sent)


def per_second(server: ArgillaProcess, items: list[Item]) -> float:
    started = time.monotonic()
    publish(server, items)
    return len(items) / (time.monotonic() - started)


def test_records_per_second_with_and_without_the_shortcuts(argilla: ArgillaProcess, stock: ArgillaProcess) -> None:
    print()
    few = min(RECORDS, 2000)
    for kind, rich in (("simple", False), ("rich", True)):
        items = sample_items(few, rich=rich)
        quick, slow = per_second(argilla, items), per_second(stock, items)
        say(f"publishing {few:,} {kind} records: {quick:.0f} a second; stock {slow:.0f}; ratio {quick / slow:.1f}")
        assert quick > slow


def test_queue_and_search_among_many(argilla: ArgillaProcess) -> None:
    print()
    items, memory = sample_items(RECORDS, rich=True), psutil.Process()
    before, started, chunks = memory.memory_info().rss, time.monotonic(), [time.monotonic()]
    ref = publish(argilla, items, lambda _sent: chunks.append(time.monotonic())).ref
    say(f"{RECORDS:,} rich records: {RECORDS / (time.monotonic() - started):.0f} a second")
    spread("one chunk", [later - earlier for earlier, later in itertools.pairwise(chunks)])
    say(f"memory that publishing added: {(memory.memory_info().rss - before) / 1e6:.0f} MB")
    owner, mine = argilla.backend.rest, person(argilla, "p0")
    for name, rest, body in looks():
        spread(name, [look(rest(owner, mine), ref, body) for _turn in range(LOOKS)])
    started = time.monotonic()
    assert len(argilla.backend._records(ref)) == RECORDS
    say(f"listing what is there, for a resumed publication: {time.monotonic() - started:.2f} s")


def looks() -> list[tuple[str, Callable[[Any, Any], Any], dict[str, Any]]]:
    def terms(scope: dict[str, Any], *values: str) -> dict[str, Any]:
        return {"filters": {"type": "and", "and": [{"type": "terms", "scope": scope, "values": list(values)}]}}

    score = {"entity": "suggestion", "question": "rating", "property": "score"}
    return [
        ("a person's queue", lambda _owner, mine: mine, PENDING),
        ("metadata", lambda owner, _mine: owner, terms({"entity": "metadata", "metadata_property": "split"}, "golden")),
        ("rare word", lambda owner, _mine: owner, {"query": {"text": {"q": "number1234"}}}),
        ("two common words", lambda owner, _mine: owner, {"query": {"text": {"q": "word31 word62"}}}),
        ("sorted by score", lambda owner, _mine: owner, {"sort": [{"scope": score, "order": "desc"}]}),
    ]


def look(rest: ArgillaRest, ref: str, body: dict[str, Any]) -> float:
    started = time.monotonic()
    prefix = "/me" if "Authorization" in rest.client.headers else ""
    rest.send("POST", f"{prefix}/datasets/{ref}/records/search?limit=10&include=responses,suggestions", body)
    return time.monotonic() - started


def test_people_who_answer_while_records_are_published(argilla: ArgillaProcess) -> None:
    ref = publish(argilla, sample_items(200)).ref
    crowd = Crowd()
    threads = crowd.start(argilla, ref, [each.username for each in PEOPLE])
    publish(argilla, sample_items(RECORDS, rich=True))
    crowd.stop.set()
    for thread in threads:
        thread.join()
    print()
    spread("a person's queue meanwhile", crowd.queue_s)
    spread("a person's submission meanwhile", crowd.submit_s)
    assert crowd.failed == [] and crowd.cut_off == 0


def test_an_answers_way_back(tmp_path: Path, migrated_file: Path) -> None:
    """Browser → Argilla → webhook → gateway → worker → our own copy."""
    settings = Settings(home=tmp_path / "home", gateway_port=free_port())
    settings.home.mkdir()
    Path(settings.database.removeprefix("sqlite:///")).write_bytes(migrated_file.read_bytes())
    hook = f"http://127.0.0.1:{settings.gateway_port}/webhooks/argilla"
    server = ArgillaProcess(settings.argilla_home, "--webhook", hook).start()
    settings = settings.model_copy(update={"argilla_port": server.port})
    database, stop = Database(settings.database), threading.Event()
    with running_gateway(settings):
        keys = published_task(database, server)
        worker = Periodic("labels", LISTEN_S, _collect(settings), stop)
        worker.start()
        delays = [way_back(database, server, key, worker) for key in keys]
        stop.set()
        worker.join(20)
    server.kill()
    database.close()
    print()
    spread("an answer's way back", delays[1:])


def published_task(database: Database, server: ArgillaProcess) -> list[str]:
    with database.write() as session:
        project = Project(name="bench")
        session.add(project)
        session.flush()
        dataset = Dataset(project_id=project.id, name="bench")
        session.add_all([dataset, Person(username="p0", role="labeler")])
        session.flush()
        facts = {"options": [], "description": "", "required": True, "ratings": [1, 2, 3, 4, 5]}
        question = {"name": "rating", "title": "Good?", "kind": "rating", **facts}
        task = LabelTask(
            dataset_id=dataset.id, name="bench", template="rating", spec={"questions": [question]}, assignees=["p0"]
        )
        task.state, task.answers_per_item = "publishing", 1
        session.add(task)
        session.flush()
        for at in range(RECORDS):
            words = [{"role": "user", "content": f"ticket {at}"}]
            example = Example(dataset_id=dataset.id, messages=words, output="a", prompt_hash=f"{at:064d}")
            session.add(example)
            session.flush()
            session.add(LabelItem(task_id=task.id, example_id=example.id, shown_output="a"))
    publish_task(database, server.backend, task.id, lambda _sent, _total: None)
    with database.read() as session:
        return [item.id for item in LabelItemRepository(session).of_task(task.id)][:ANSWERS]


def way_back(database: Database, server: ArgillaProcess, key: str, worker: Periodic) -> float:
    with database.read() as session:
        record = session.get(LabelItem, key).backend_ref  # type: ignore[union-attr]
    body = {"values": {"rating": {"value": 4}}, "status": "submitted"}
    person(server, "p0").send("POST", f"/records/{record}/responses", body)
    started = time.monotonic()
    while True:
        with database.read() as session:
            if AnnotationRepository(session).count(item_id=key):
                return time.monotonic() - started
        assert worker.bug is None and time.monotonic() - started < 60
        time.sleep(0.01)
