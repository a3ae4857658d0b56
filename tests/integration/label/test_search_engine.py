"""Argilla's search on its own SQLite file, seen from outside: filters, text, sort, queue, similarity, progress.

The expected answers are those of Argilla's Elasticsearch engine (read in its source and tests).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from studio.errors import InvalidInput, Unavailable
from studio.label import argilla_people as people
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Item, Question, QuestionKind, TaskSpec, Teammate
from studio.label.tickets import access_token
from tests.fakes.argilla_process import ArgillaProcess, free_port, running_argilla
from tests.fakes.postgres import PostgresCluster, binaries

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
PEOPLE = (Teammate("ann"), Teammate("bob"))
TEXTS = [
    "the red parcel",
    "the blue parcel is late",
    "parcel parcel parcel",
    "nothing to see",
    "加州旅馆",
    "red-hot chili",
]


@dataclass
class Searched:
    """A dataset of six records, two answers and vectors, and who may look at it."""

    owner: ArgillaRest
    ann: ArgillaRest
    dataset: str
    questions: dict[str, str]
    vector: str
    bob: ArgillaRest | None = None

    def find(
        self, *filters: dict[str, Any], text: str = "", sort: Any = None, rest: ArgillaRest | None = None
    ) -> list[str]:
        body: dict[str, Any] = {"sort": sort} if sort else {}
        if filters:
            body["filters"] = {"type": "and", "and": list(filters)}
        if text:
            body["query"] = {"text": {"q": text}}
        path = f"/{'me/' if rest else ''}datasets/{self.dataset}/records/search?limit=50"
        found = (rest or self.owner).send("POST", path, body)
        assert found["total"] == len(found["items"])
        return [each["record"]["external_id"] for each in found["items"]]


def person(server: ArgillaProcess, name: str) -> ArgillaRest:
    bearer = {"Authorization": f"Bearer {access_token(server.backend.shared_secret, name)}"}
    return ArgillaRest(server.url, bearer, trust_env=False)


def metadata(name: str) -> dict[str, str]:
    return {"entity": "metadata", "metadata_property": name}


def terms(scope: dict[str, Any], *values: str) -> dict[str, Any]:
    return {"type": "terms", "scope": scope, "values": list(values)}


def between(scope: dict[str, Any], low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"type": "range", "scope": scope, "ge": low, "le": high}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgillaProcess]:
    """The server on its own SQLite file, and on PostgreSQL where its binaries are."""
    if request.param == "sqlite":
        yield running_argilla()
        return
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL's binaries are not on this machine")
    cluster = PostgresCluster(folder, free_port())
    cluster.start()
    url = cluster.url(cluster.new_database()).replace("postgresql://", "postgresql+asyncpg://")
    process = ArgillaProcess(tmp_path_factory.mktemp("argilla-pg") / "argilla", "--database-url", url)
    yield process.start()
    process.kill()
    cluster.stop()


@pytest.fixture(scope="module")
def six(server: ArgillaProcess) -> Iterator[Searched]:
    backend = server.backend
    rest, workspace = backend.rest, people.workspace_id(backend.rest, "search")
    people.admit(rest, Teammate("ann"), workspace)
    ann = person(server, "ann")
    dataset = rest.send("POST", "/datasets", {"name": "six", "workspace_id": workspace})["id"]

    def make(kind: str, **body: Any) -> str:
        return str(rest.send("POST", f"/datasets/{dataset}/{kind}", body)["id"])

    make("fields", name="text", title="Text", required=True, settings={"type": "text", "use_markdown": False})
    options = [{"value": each, "text": each} for each in ("good", "bad")]
    label = make(
        "questions", name="label", title="L", required=True, settings={"type": "label_selection", "options": options}
    )
    stars = [{"value": each} for each in range(1, 6)]
    rating = make("questions", name="stars", title="S", required=False, settings={"type": "rating", "options": stars})
    make("metadata-properties", name="source", title="s", settings={"type": "terms"})
    make("metadata-properties", name="length", title="l", settings={"type": "integer"})
    vector = make("vectors-settings", name="v", title="v", dimensions=2)
    rest.send("PUT", f"/datasets/{dataset}/publish")
    records = [
        {
            "external_id": str(at),
            "fields": {"text": text},
            "metadata": {
                "source": ["web"] if at % 2 else ["app", "web"][:1],
                **({"length": at * 10} if at < 5 else {}),
            },
            "suggestions": [
                {"question_id": label, "value": "good" if at < 3 else "bad", "score": at / 10, "agent": "m1"}
            ],
            "vectors": {"v": [1.0, float(at)]},
        }
        for at, text in enumerate(TEXTS)
    ]
    made = rest.send("POST", f"/datasets/{dataset}/records/bulk", {"items": records})["items"]
    ids = {each["external_id"]: each["id"] for each in made}
    for key, status, value in (("0", "submitted", "good"), ("1", "draft", "bad"), ("2", "discarded", "bad")):
        values = {"label": {"value": value}, "stars": {"value": int(key) + 1}}
        ann.send("POST", f"/records/{ids[key]}/responses", {"values": values, "status": status})
    yield Searched(rest, ann, dataset, {"label": label, "stars": rating}, vector)


def test_text(six: Searched) -> None:
    assert set(six.find(text="parcel")) == {"0", "1", "2"}
    assert six.find(text="parcel")[0] == "2", "the best match comes first"
    assert six.find(text="parcel late") == ["1"], "all words"
    assert set(six.find(text="late | nothing")) == {"1", "3"}
    assert set(six.find(text="parcel -blue")) == {"0", "2"}
    assert six.find(text='"red parcel"') == ["0"]
    assert set(six.find(text="par*")) == {"0", "1", "2"}
    assert six.find(text="(late | nothing) -blue") == ["3"]
    assert six.find(text="旅馆") == ["4"]
    assert six.find(text='") OR 1=1 --') == [] and six.find(text="chili") == ["5"]


def test_metadata(six: Searched) -> None:
    assert set(six.find(terms(metadata("source"), "web"))) == {"1", "3", "5"}
    assert set(six.find(between(metadata("length"), 10, 30))) == {"1", "2", "3"}
    assert six.find(terms(metadata("source"), "app"), between(metadata("length"), 30)) == ["4"]


def test_suggestions(six: Searched) -> None:
    value = {"entity": "suggestion", "question": "label", "property": "value"}
    score = {"entity": "suggestion", "question": "label", "property": "score"}
    assert set(six.find(terms(value, "good"))) == {"0", "1", "2"}
    assert set(six.find(between(score, 0.35, 0.5))) == {"4", "5"}


def test_answers_and_the_queue_of_one_person(six: Searched) -> None:
    status = {"entity": "response", "property": "status"}
    assert six.find(terms(status, "submitted"), rest=six.ann) == ["0"]
    assert set(six.find(terms(status, "draft", "discarded"), rest=six.ann)) == {"1", "2"}
    assert set(six.find(terms(status, "pending"), rest=six.ann)) == {"3", "4", "5"}
    stars = {"entity": "response", "question": "stars"}
    assert set(six.find(between(stars, 2), rest=six.ann)) == {"1", "2"}


def test_records(six: Searched) -> None:
    status = {"entity": "record", "property": "status"}
    assert six.find(terms(status, "completed")) == ["0"]
    since = {"entity": "record", "property": "inserted_at"}
    recent = {"type": "range", "scope": since, "ge": "2020-01-01T00:00:00Z"}
    assert len(six.find(recent)) == 6
    assert six.find({**recent, "ge": "2999-01-01T00:00:00+02:00"}) == []


def test_order(six: Searched) -> None:
    length = {"scope": metadata("length"), "order": "desc"}
    assert six.find(sort=[length]) == ["4", "3", "2", "1", "0", "5"], "records without the value come last"
    suggestion = {"entity": "suggestion", "question": "label", "property": "score"}
    assert six.find(sort=[{"scope": suggestion, "order": "asc"}]) == ["0", "1", "2", "3", "4", "5"]
    assert six.find(rest=six.ann) == six.find(rest=six.ann), "a person's own order is the same every time"


def test_similarity(six: Searched) -> None:
    body = {"query": {"vector": {"name": "v", "value": [1.0, 5.0], "order": "most_similar"}}}
    found = six.owner.send("POST", f"/datasets/{six.dataset}/records/search?limit=3", body)["items"]
    assert [each["record"]["external_id"] for each in found] == ["5", "4", "3"]
    assert found[0]["query_score"] == pytest.approx(1.0)


def test_progress_and_facets(six: Searched) -> None:
    progress = six.owner.get(f"/datasets/{six.dataset}/progress")
    assert (progress["total"], progress["completed"], progress["pending"]) == (6, 1, 5)
    mine = six.ann.get(f"/me/datasets/{six.dataset}/metrics")["responses"]
    assert (mine["submitted"], mine["draft"], mine["discarded"], mine["pending"]) == (1, 1, 1, 3)
    properties = six.owner.get(f"/me/datasets/{six.dataset}/metadata-properties")["items"]
    found = {each["name"]: six.owner.get(f"/metadata-properties/{each['id']}/metrics") for each in properties}
    assert {each["term"]: each["count"] for each in found["source"]["values"]} == {"app": 3, "web": 3}
    assert (found["length"]["min"], found["length"]["max"]) == (0, 40)


def test_changed_and_deleted_records_are_searched_as_they_are_now(six: Searched) -> None:
    [record] = [each for each in six.owner.records(six.dataset) if each["external_id"] == "3"]
    six.owner.send("PATCH", f"/records/{record['id']}", {"fields": {"text": "something zebra"}})
    assert six.find(text="zebra") == ["3"] and six.find(text="nothing") == []
    six.owner.send("DELETE", f"/datasets/{six.dataset}/records?ids={record['id']}")
    assert six.find(text="zebra") == [] and len(six.find()) == 5


@pytest.fixture(scope="module")
def asked(server: ArgillaProcess) -> Iterator[Searched]:
    """Four records: for ann, for bob, for both, for nobody in particular; ann answered her own and bob's."""
    backend = server.backend
    spec = TaskSpec("asked", "asked", "", (Question("good", "Good?", QuestionKind.RATING),), 1, PEOPLE)
    queues = {"hers": ("ann",), "his": ("bob",), "both": ("bob", "ann"), "anybodys": ()}
    items = [Item(key, [{"role": "user", "content": "zebra"}], "a", asked=names) for key, names in queues.items()]
    ref = backend.publish(spec, items, lambda _sent: None).ref
    backend.answer_as(ref, "ann", {"hers": {"good": 3}, "his": {"good": 4}})
    ann, bob = (person(server, each.username) for each in PEOPLE)
    yield Searched(backend.rest, ann, ref, {}, "", bob)


def test_a_queue_holds_what_a_person_is_asked_for(asked: Searched) -> None:
    pending = terms({"entity": "response", "property": "status"}, "pending")
    assert set(asked.find(rest=asked.ann)) == {"hers", "both", "anybodys"}
    assert set(asked.find(rest=asked.bob)) == {"his", "both", "anybodys"}
    assert set(asked.find(pending, rest=asked.ann)) == {"both", "anybodys"}
    assert set(asked.find(text="zebra", rest=asked.bob)) == {"his", "both", "anybodys"}
    assert set(asked.find()) == {"hers", "his", "both", "anybodys"}, "the owner sees all"


def test_progress_counts_what_a_person_is_asked_for(asked: Searched) -> None:
    mine = asked.ann.get(f"/me/datasets/{asked.dataset}/metrics")["responses"]
    assert mine == {"total": 3, "submitted": 1, "discarded": 0, "draft": 0, "pending": 2}
    assert asked.owner.get(f"/datasets/{asked.dataset}/progress")["total"] == 4


def test_who_is_asked_stays_between_the_studio_and_the_server(asked: Searched) -> None:
    found = asked.ann.send("POST", f"/me/datasets/{asked.dataset}/records/search?limit=9", {})["items"]
    assert [each["record"]["metadata"] for each in found] == [{}, {}, {}]
    assert asked.ann.get(f"/me/datasets/{asked.dataset}/metadata-properties")["items"] == []


@pytest.mark.parametrize("path", ["record-ids", "answers"])
def test_the_studios_own_questions_need_its_key(asked: Searched, path: str) -> None:
    assert len(asked.owner.ours(f"/datasets/{asked.dataset}/{path}")["items"]) == {"record-ids": 4, "answers": 2}[path]
    with pytest.raises(Unavailable):
        asked.ann.ours(f"/datasets/{asked.dataset}/{path}")
    with pytest.raises(InvalidInput):
        asked.owner.ours(f"/datasets/{asked.dataset}/{path}", after="x y", since="yesterday")


def test_answers_since_a_moment_are_those_that_changed(asked: Searched) -> None:
    everything = asked.owner.ours(f"/datasets/{asked.dataset}/answers")["items"]
    last = everything[-1]["updated_at"]
    since = asked.owner.ours(f"/datasets/{asked.dataset}/answers", since=f"{last}+00:00")["items"]
    assert since and {each["updated_at"] for each in since} == {last}
    after = f"{everything[0]['updated_at']} {everything[0]['id']}"
    assert asked.owner.ours(f"/datasets/{asked.dataset}/answers", after=after)["items"] == everything[1:]
