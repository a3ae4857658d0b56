"""The explorer's index is a cache: built in the background, lost, damaged, locked, and what is around a call."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.database import Database
from storage.repositories.log_index import LogIndexRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogEntry, Project
from studio.access.actor import Actor, Role
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.capture.enrich.signature import signature
from studio.capture.entries import prompt_hash
from studio.capture.explorer import follow, matches
from studio.capture.explorer.answers import Sort
from studio.capture.explorer.columns import TAG_COLUMNS
from studio.capture.explorer.embedding import Vectors, make_vectors
from studio.capture.explorer.export import COLUMNS
from studio.capture.explorer.service import Explorer
from studio.capture.explorer.views import SavedViews
from studio.capture.filters import LogFilter
from studio.capture.logs import Count
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(project: Project, number: int, said: str = "", **more: Any) -> dict[str, Any]:
    text = said or f"Refund number {number} please"
    messages = more.pop("messages", [{"role": "user", "content": text}])
    return {
        "uid": f"u{number:05}",
        "project_id": project.id,
        "created_at": START + timedelta(minutes=number),
        "model": "b" if number % 5 == 0 else "a",
        "latency_ms": float(number),
        "messages": messages,
        "prompt_hash": prompt_hash(messages, []),
        "prompt_text": text,
        "reply_text": "sure",
        "signature": signature(text),
        **more,
    }


@pytest.fixture
def write(database: Database) -> Callable[[list[dict[str, Any]]], None]:
    def insert(rows: list[dict[str, Any]]) -> None:
        with database.write() as session:
            LogEntryRepository(session).insert(rows)

    return insert


@pytest.fixture
def explorer(database: Database, settings: Settings) -> Iterator[Explorer]:
    opened = Explorer(database, settings.root)
    yield opened
    opened.close()


Write = Callable[[list[dict[str, Any]]], None]


def test_a_large_log_is_read_in_the_background_and_answered_by_the_database_meanwhile(
    explorer: Explorer, write: Write, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write([call(project, number) for number in range(60)])
    go, step = threading.Event(), follow.Follower.step
    monkeypatch.setattr(follow, "AT_ONCE", 10)
    monkeypatch.setattr(follow, "CHUNK", 25)
    monkeypatch.setattr(follow.Follower, "step", lambda *given: (go.wait(60), step(*given))[1])
    criteria = LogFilter(project.id, models=("b",))
    assert not explorer.readiness().ready and explorer.readiness().total == 60
    page = explorer.page(criteria, limit=5)
    assert [row.uid for row in page.rows] == ["u00055", "u00050", "u00045", "u00040", "u00035"]
    go.set()
    deadline = time.monotonic() + 60
    while not explorer.readiness().ready and time.monotonic() < deadline:
        time.sleep(0.01)
    rest = explorer.page(criteria, after=page.next, limit=50)  # a page of before the index goes on in it
    assert [row.uid for row in rest.rows][-1] == "u00000" and len(rest.rows) == 7
    assert explorer.facets(criteria, ("model",))["model"][0].calls == 48


@pytest.mark.parametrize("harm", ["lost", "damaged", "other version", "log restored"])
def test_an_index_that_cannot_be_trusted_is_built_again(
    explorer: Explorer, write: Write, project: Project, database: Database, settings: Settings, harm: str
) -> None:
    write([call(project, number) for number in range(20)])
    assert explorer.count(LogFilter(project.id)).n == 20
    columns = explorer.follower.fresh()
    if harm == "other version" and columns:
        columns.cursor().execute("UPDATE about SET value = 'old' WHERE name = 'version'")
    explorer.close()
    if harm == "lost":
        explorer.follower.path.unlink()
    if harm == "damaged":
        explorer.follower.path.write_bytes(b"not a database" * 1000)
    if harm == "log restored":
        with database.write() as session:
            for number in (18, 19, 20):
                session.delete(session.get_one(LogEntry, number))
    again = Explorer(database, settings.root)
    assert again.count(LogFilter(project.id)).n == (17 if harm == "log restored" else 20)
    again.close()


def test_two_explorers_of_one_process_do_not_count_a_call_twice(
    explorer: Explorer, write: Write, project: Project, database: Database, settings: Settings
) -> None:
    other = Explorer(database, settings.root)
    for number in range(8):
        write([call(project, number)])
        asked = [threading.Thread(target=each.count, args=(LogFilter(project.id),)) for each in (explorer, other)]
        for each in asked:
            each.start()
        for each in asked:
            each.join()
    counts = {each.count(LogFilter(project.id)).n for each in (explorer, other, explorer)}
    other.close()
    assert counts == {8}


def test_facets_are_right_after_another_explorer_began_the_index_anew(
    explorer: Explorer, write: Write, project: Project, database: Database, settings: Settings
) -> None:
    write([call(project, 0, model="first"), call(project, 1, model="second"), call(project, 2, model="second")])
    criteria = LogFilter(project.id)
    wanted = {"first": 1, "second": 2}
    other = Explorer(database, settings.root)
    for each in (explorer, other):
        assert {value.value: value.calls for value in each.facets(criteria, ("model",))["model"]} == wanted
    columns = other.follower.fresh()
    assert columns is not None
    columns.clear()
    with columns.writing() as writer:  # the same calls, met in another order
        with database.read() as session:
            facts = LogIndexRepository(session).facts(0, 3, 3)
        writer.take(facts[::-1], [])
        writer.move(call=3)
    assert {value.value: value.calls for value in explorer.facets(criteria, ("model",))["model"]} == wanted
    other.close()


def test_a_search_that_stops_early_says_so_and_goes_on(
    explorer: Explorer, write: Write, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.capture.explorer.service.FEW", 0)
    monkeypatch.setattr(matches, "BUDGET_S", 60.0)
    monkeypatch.setattr(matches, "FIRST", 10)
    monkeypatch.setattr(matches, "THEN", 10)
    monkeypatch.setattr(matches, "MOST", 20)
    write([call(project, number) for number in range(50)])
    criteria = LogFilter(project.id, text="refund ")
    count = explorer.count(criteria)
    assert not count.exact and 20 <= count.n < 50
    found, after, stops = [], None, 0
    while True:
        page = explorer.page(criteria, after=after, limit=25)
        found += [row.uid for row in page.rows]
        stops += page.searched_back_to is not None
        after = page.next
        if after is None:
            break
    assert found == [f"u{number:05}" for number in range(49, -1, -1)] and stops
    dearest = explorer.page(criteria, Sort("latency_ms", False), limit=3)
    assert len(dearest.rows) == 3 and dearest.searched_back_to
    assert explorer.searched_back_to(criteria) and not explorer.searched_back_to(LogFilter(project.id))


def test_new_calls_join_a_search_that_was_made_before(explorer: Explorer, write: Write, project: Project) -> None:
    write([call(project, number) for number in range(400)])
    criteria = LogFilter(project.id, text="refund ")
    assert explorer.count(criteria) == Count(400, True)
    write([call(project, 400), call(project, 401, "something else")])
    assert explorer.count(criteria) == Count(401, True)


def test_tags_beyond_those_with_columns_of_their_own_are_found_alike(
    explorer: Explorer, write: Write, project: Project
) -> None:
    names = [f"t{number:02}" for number in range(len(TAG_COLUMNS) + 3)]
    tagged = [{name: str(number % (at + 2)) for at, name in enumerate(names)} for number in range(12)]
    write([call(project, number, tags=tags) for number, tags in enumerate(tagged)])
    write([call(project, 12, tags={names[0]: "late", names[-1]: "late"})])
    for name in (names[0], names[-2], names[-1]):
        wanted = Counter(tags[name] for tags in tagged) + Counter({"late": 1 if name in (names[0], names[-1]) else 0})
        found = explorer.facets(LogFilter(project.id), (f"tag:{name}",))[f"tag:{name}"]
        assert {value.value: value.calls for value in found} == wanted
    both = LogFilter(project.id, tags=((names[0], "1"), (names[-1], "1")))
    assert [row.uid for row in explorer.page(both).rows] == ["u00001"]
    assert explorer.facets(both, ("model",))["model"][0].calls == 1
    assert set(explorer.tag_names(LogFilter(project.id))) == set(names)


def test_points_have_no_holes_and_percentiles_of_answered_calls_only(
    explorer: Explorer, write: Write, project: Project
) -> None:
    write([call(project, 0), call(project, 1), call(project, 2, status="error"), call(project, 180)])
    points = explorer.series(LogFilter(project.id), 4)
    assert [point.calls for point in points] == [3, 0, 0, 1] and points[0].errors == 1
    assert points[0].p50_ms == 1 and points[1].p50_ms is None  # call 0 says no time: that is not 0 ms
    [total] = explorer.series(LogFilter(project.id), 1)
    assert total.calls == 4 and total.statuses == {"error": 1, "ok": 3}


def test_a_broken_page_or_sort_is_told(explorer: Explorer, write: Write, project: Project) -> None:
    write([call(project, 0)])
    for after in ("x", "1:x", "~x", "nan:", "9" * 40 + ":1", "1.0:" + "9" * 40, "1e999:1", "~" + "9" * 40):
        with pytest.raises(InvalidInput):
            explorer.page(LogFilter(project.id), after=after)
    with pytest.raises(InvalidInput):
        explorer.page(LogFilter(project.id), Sort("messages; DROP TABLE call"))


def test_alike_same_and_earlier_calls_are_found(explorer: Explorer, write: Write, project: Project) -> None:
    ticket = "My parcel was due on Monday and it has still not arrived at my office in Hamburg today"
    first = [{"role": "user", "content": ticket}]
    then = [*first, {"role": "assistant", "content": "Sorry!"}, {"role": "user", "content": "And now?"}]
    write(
        [
            call(project, 0, ticket, trace_id="t", session_id="s"),
            call(project, 1, ticket.replace("Hamburg", "Berlin")),
            call(project, 2, "Completely different words about an invoice that was paid twice by mistake"),
            call(project, 3, ticket),
            call(project, 4, "And now?", messages=then, trace_id="t", session_id="s"),
        ]
    )
    alike = explorer.similar(project.id, "u00000")
    assert [each.row.uid for each in alike] == ["u00003", "u00001"] and alike[0].similarity == 1.0
    assert [row.uid for row in explorer.duplicates(project.id, "u00000")] == ["u00003"]
    related = explorer.related(explorer.logs.entry(project.id, "u00004"))
    assert [row.uid for row in related.trace] == [row.uid for row in related.session] == ["u00000", "u00004"]
    assert related.previous is not None and related.previous.uid == "u00003"
    with pytest.raises(NotFound):
        explorer.similar(project.id, "gone")


def test_an_export_holds_every_call_and_no_formula(explorer: Explorer, write: Write, project: Project) -> None:
    write([call(project, number, "=HYPERLINK(1)" if number == 3 else "") for number in range(700)])
    criteria = LogFilter(project.id, models=("a",))
    lines = b"".join(explorer.export(criteria, "jsonl")).splitlines()
    assert len(lines) == 560 and json.loads(lines[0])["uid"] == "u00001" and set(json.loads(lines[0])) == set(COLUMNS)
    text = b"".join(explorer.export(criteria, "csv", ["uid", "prompt_text", "latency_ms"])).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 560 and rows[2]["prompt_text"] == "'=HYPERLINK(1)" and rows[0]["latency_ms"] == "1.0"
    table = pq.read_table(io.BytesIO(b"".join(explorer.export(criteria, "parquet"))))
    assert table.num_rows == 560 and table["latency_ms"][0].as_py() == 1.0 and table["created_at"][0].as_py() > START
    assert json.loads(table["messages"][0].as_py())[0]["role"] == "user"
    assert b"".join(explorer.export(LogFilter(project.id, models=("no",)), "jsonl")) == b""
    for kind, columns in (("xml", None), ("csv", ["nothing"])):
        with pytest.raises(InvalidInput):
            explorer.export(criteria, kind, columns)


def test_views_are_saved_renamed_and_deleted_by_editors(
    database: Database, project: Project, editor: Actor, viewer: Actor
) -> None:
    views, criteria = SavedViews(database), LogFilter(project.id, models=("a",), since=START)
    with pytest.raises(NotAllowed):
        views.save(viewer, project.id, "Mine", criteria)
    saved = views.save(editor, project.id, " Slow  ones ", criteria, Sort("latency_ms"))
    views.save(editor, project.id, "Slow ones", criteria, Sort("cost_usd", False), span="7d")
    [found] = views.all(project.id)
    assert (found.id, found.name) == (saved.id, "Slow ones")
    assert found.query == {"models": ["a"], "range": "7d", "sort": {"by": "cost_usd", "descending": False}}
    views.save(editor, project.id, "Other", criteria)
    with pytest.raises(InvalidInput):
        views.rename(editor, found.id, "Other")
    views.rename(editor, found.id, "Dear ones")
    views.delete(editor, found.id)
    assert [view.name for view in views.all(project.id)] == ["Other"]
    with pytest.raises(NotFound):
        views.delete(editor, found.id)


class Embedder(BaseHTTPRequestHandler):
    asked: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({**body, "path": self.path, "key": self.headers["Authorization"]})
        data = [
            {"index": at, "embedding": [1.0, 0.1, 0.0] if "parcel" in text else [0.0, 0.2, 1.0]}
            for at, text in enumerate(body["input"])
        ]
        answer = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def test_with_an_embedding_model_likeness_goes_by_meaning(
    explorer: Explorer,
    write: Write,
    project: Project,
    database: Database,
    tmp_path: Path,
    editor: Actor,
    sign_in: Callable[[Role], Actor],
) -> None:
    write(
        [call(project, 0, "Where is my parcel"), call(project, 1, "The parcel never came"), call(project, 2, "Invoice")]
    )
    server = HTTPServer(("127.0.0.1", 0), Embedder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        providers, vectors = Providers(database, SecretBox(tmp_path / "secrets")), Vectors(database, Jobs(database))
        address = f"http://127.0.0.1:{server.server_port}/v1"
        provider = providers.save(editor, project.id, "openai", address, "sk-1", ["embed"])
        with pytest.raises(InvalidInput):
            vectors.start(editor, project.id)
        with pytest.raises(NotAllowed):
            vectors.choose(editor, project.id, provider.id, "embed")
        vectors.choose(sign_in(Role.ADMIN), project.id, provider.id, "embed")
        assert vectors.start(editor, project.id).kind == "make_vectors"
        seen: list[int] = []
        assert make_vectors(database, providers, project.id, seen.append) == 3 and seen == [3]
        assert make_vectors(database, providers, project.id, seen.append) == 0 and vectors.made(project.id) == 3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert Embedder.asked[0]["path"] == "/v1/embeddings" and Embedder.asked[0]["key"] == "Bearer sk-1"
    alike = explorer.similar(project.id, "u00000")
    assert alike[0].row.uid == "u00001" and alike[0].similarity > 0.99 > 0.1 > alike[1].similarity
