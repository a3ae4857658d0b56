"""Hostile requests against the real gateway: fuzzed by its own description, and by a table of what broke others.

Whatever comes: no answer is a 5xx of ours, none tells a key, nothing hangs, and no key is on the disk afterwards.
"""

from __future__ import annotations

import json
import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from storage.database import Database
from storage.tables import Feedback, LogEntry, Project
from studio.access.actor import Actor
from studio.access.keys import Allowed, ApiKeys
from studio.gateway.compose import build_gateway
from studio.settings import Settings
from tests.integration.gateway.conftest import PATIENT_S, UPSTREAM_KEY, Stack, running_stack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "gateway.openapi.json"
EXAMPLES = 8
WAIT_S = 60.0
NOT_HERE = 501
"""What OpenPipe's clients are told of what the studio does elsewhere."""
SEEDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OTHERS_FORMS = (
    "/api/v1/",
    "/api/public/",
    "/custom/",
    "/oai/",
    "/anthropic/",
    "/v1/otlp/",
    "/webhooks/",
    "/v1/request/",
)
"""Paths of other systems' own clients: of these the description names the usual ones."""


@pytest.fixture(scope="module")
def stack(patient_stack: Stack) -> Stack:
    """One that no busy machine makes answer 504."""
    return patient_stack


@pytest.fixture
def own_stack(tmp_path: Path, migrated_file: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "home", migrated_file, PATIENT_S) as made:
        yield made


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return found


def operations() -> list[Any]:
    return [found.ok() for found in schemathesis.openapi.from_dict(document()).get_all_operations()]


def assert_harmless(stack: Stack, answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.status_code == NOT_HERE, (answer.url, answer.text[:300])
    told = answer.text + str(answer.headers.raw)
    assert UPSTREAM_KEY not in told and stack.secret not in told
    assert "Traceback" not in told and 'File "' not in told


def kept_files(stack: Stack) -> list[bytes]:
    """What is on the disk: the journal, the database with its log, what was set aside."""
    return [path.read_bytes() for path in stack.settings.home.rglob("*") if path.is_file()]


def test_the_description_names_every_path_of_ours_and_no_other(settings: Settings) -> None:
    gateway = build_gateway(settings, keys=None, load_table=list, on_argilla=None)  # type: ignore[arg-type]
    served = {(method.lower(), path) for method, path in gateway.paths}
    described = {(method, path) for path, found in document()["paths"].items() for method in found}
    assert described <= served
    assert {pair for pair in served - described if not pair[1].startswith(OTHERS_FORMS)} == {
        ("put", "/v1/feedback/{feedback_id}")
    }, "which only says to send feedback again"


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_any_request_of_the_described_shape_is_answered_or_refused_with_a_reason(stack: Stack, operation: Any) -> None:
    with stack.web as web:

        @SEEDED
        @given(operation.as_strategy())
        def ask(case: Any) -> None:
            body = case.body
            if isinstance(body, dict) and "model" in body and len(str(body)) % 2:
                body["model"] = "triage"  # else few would get as far as the upstream
            sent = case.as_transport_kwargs(base_url=stack.url)
            content = sent.get("data") if isinstance(sent.get("data"), str | bytes) else None
            plain = isinstance(body, dict | list | str | int | float | bool) and content is None
            answer = web.request(
                case.method,
                httpx.URL(sent["url"]),
                headers={"content-type": case.media_type or "application/json"},
                content=json.dumps(body).encode("utf-8", "surrogatepass") if plain else content,
            )
            assert_harmless(stack, answer)
            if answer.status_code >= 400 and case.media_type != "application/x-protobuf":
                assert answer.json()

        ask()


PATHS = (
    *("/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/etc/passwd"),
    *("/..\\..\\windows\\win.ini", "//etc/passwd", "/file://./etc/passwd", "/%00", "/\x7f", "/%ff%fe", "/%u002e"),
    *("/./", "//", "///v1//models", "/v1/../health", "/" + "a" * 4000, "/" + "%2e%2e%2f" * 400, "/;/etc", "/{uid}"),
)
PLACES = ("", "/v1/models", "/v1/logs", "/v1/logs/x/feedback", "/v1/feedback", "/v1/request", "/api/v1/datasets")
SQL = (
    "' OR '1'='1",
    "'; DROP TABLE log_entry; --",
    '"; SELECT pg_sleep(60); --',
    "\\'; --",
    "1)) UNION SELECT 1 --",
    "%",
)
ELSEWHERE = "http://127.0.0.1:9/stolen"
CHOICES = (
    "api_base",
    "base_url",
    "api_key",
    "custom_host",
    "target_url",
    "user_config",
    "model_list",
    "litellm_params",
)
CHOICES += ("extra_headers", "headers", "fallbacks", "azure_ad_token", "vertex_credentials", "aws_role_name")
HEADERS = ("x-portkey-custom-host", "x-portkey-config", "helicone-target-url", "x-forwarded-host", "x-original-url")
HEADERS += ("x-rewrite-url", "x-upstream", "openai-organization", "x-portkey-provider", "x-http-method-override")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_no_odd_path_reads_a_file_or_fails(stack: Stack, method: str) -> None:
    with stack.web as web:
        for place in PLACES:
            for path in PATHS:
                raw = f"{place}{path}".encode("latin-1").replace(b"\x7f", b"%7f").replace(b"{", b"%7b")
                request = web.build_request(method, "/", json={"kind": "thumbs", "value": 1})
                request.url = request.url.copy_with(raw_path=raw.replace(b"}", b"%7d"))
                answer = web.send(request)
                assert_harmless(stack, answer)
                assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"])
def test_nobody_but_the_routing_table_chooses_the_server(stack: Stack, path: str) -> None:
    asked = {"model": "triage", "prompt": "x", "input": "x", "messages": [{"role": "user", "content": "x"}]}
    before = len(stack.upstream.requests)
    with stack.web as web:
        for name in CHOICES:
            for value in (ELSEWHERE, {"base_url": ELSEWHERE}, [{"api_base": ELSEWHERE}]):
                for body in ({name: value}, {"extra_body": {name: value}}, {"metadata": {"config": {name: value}}}):
                    assert_harmless(stack, web.post(path, json=asked | body))
        for header in HEADERS:
            assert_harmless(stack, web.post(path, json=asked, headers={header: ELSEWHERE}))
    for seen in stack.upstream.requests[before:]:
        assert ELSEWHERE not in json.dumps(seen, default=str)
        assert stack.secret not in json.dumps(seen, default=str)


@pytest.mark.parametrize("said", SQL)
def test_text_is_never_taken_for_sql(stack: Stack, said: str) -> None:
    named = {"kind": "thumbs", "value": 1}
    places: list[dict[str, Any]] = [{name: said} for name in ("uid", "external_id", "trace_id", "session_id", "id")]
    places += [{"tags": {said: said}}, {"trace_id": said, "span_id": said}, {"tags": {"a": said}, "model": said}]
    turn = [{"role": said, "content": said}]
    with stack.web as web:
        for place in places:
            assert web.post("/v1/feedback", json={**named, **place}).status_code == 202
        call = {"request": {"model": said, "messages": turn}, "tags": {said: said}, "user_id": said, "trace_id": said}
        assert web.post("/v1/report", json=call).status_code == 202
        assert web.post("/v1/chat/completions", json={"model": said, "messages": turn}).status_code == 404
        for header in ("authorization", "x-api-key", "x-portkey-api-key", "helicone-auth"):
            answer = httpx.get(f"{stack.url}/v1/models", headers={header: f"Bearer {said}"}, timeout=WAIT_S)
            assert answer.status_code == 401
            assert_harmless(stack, answer)
        assert_harmless(stack, web.get("/v1/models", params={"name": said, "limit": said}))
    stack.drain()
    assert any(row.user_id == said and row.tags == {said: said} for row in stack.all_entries())


SMUGGLED = (
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: a\rX-Evil: b\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Session-Id: a\x00b\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded: c\r\n\r\n",
    b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
    b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


@pytest.mark.parametrize("request_bytes", SMUGGLED, ids=range(len(SMUGGLED)))
def test_a_request_that_two_servers_would_read_differently_is_refused_once(stack: Stack, request_bytes: bytes) -> None:
    port = stack.settings.gateway_port
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as line:
        line.sendall(request_bytes)
        line.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert len(statuses) <= 1 and all(status[:1] == b"4" for status in statuses), answer
    assert b"X-Evil" not in answer and b"\r\nx-evil" not in answer.lower()


def test_a_key_of_one_project_reaches_no_call_of_another(stack: Stack) -> None:
    with stack.database.write() as session:
        other = Project(name="another")
        session.add(other)
    _, foreign = ApiKeys(stack.database).create(Actor.operator(), other.id, "foreign")
    call = {"request": {"model": "m", "messages": [{"role": "user", "content": "x"}]}, "external_id": "theirs"}
    call |= {"trace_id": "their-trace", "span_id": "their-span", "session_id": "their-session", "tags": {"who": "them"}}
    with stack.web as web:
        uid = web.post("/v1/report", json=call).json()["id"]
    stack.entry(uid)
    names: list[dict[str, Any]] = [{"uid": uid}, {"id": uid}, {"external_id": "theirs"}, {"id": "theirs"}]
    names += [
        {"trace_id": "their-trace"},
        {"trace_id": uid},
        {"session_id": "their-session"},
        {"tags": {"who": "them"}},
    ]
    names += [{"trace_id": "their-trace", "span_id": "their-span"}, {"span_id": "their-span"}]
    with httpx.Client(base_url=stack.url, headers={"x-api-key": foreign}, timeout=WAIT_S) as web:
        for name in names:
            assert web.post("/v1/feedback", json={"kind": "thumbs", "value": 0, **name}).status_code == 202
            assert web.post("/v1/feedback", json={"kind": "tags", "set": {"who": "me"}, **name}).status_code == 202
        web.post(f"/v1/logs/{uid}/feedback", json={"kind": "thumbs", "value": 0, "project_id": stack.project.id})
        web.post(f"/v1/request/{uid}/feedback", json={"rating": False})
        web.put(f"/v1/request/{uid}/property", json={"key": "who", "value": "me"})
        web.post("/api/public/scores", json={"traceId": "their-trace", "name": "s", "value": 0})
        told = web.post(
            "/api/v1/logs/update-metadata", json={"filters": [{"field": "who", "equals": "them"}], "metadata": {}}
        )
        assert "1" not in told.text
        again = web.post("/v1/report", json=call | {"project_id": stack.project.id}).json()["id"]
        assert web.get("/v1/models").json()["data"] == []
        assert web.post("/v1/chat/completions", json={"model": "triage", **call["request"]}).status_code == 404
    assert again != uid
    stack.drain()
    with stack.database.read() as session:
        row = session.query(LogEntry).filter_by(uid=uid).one()
        assert (row.rating, row.tags) == (None, {"who": "them"})
        assert session.query(Feedback).filter_by(log_entry_id=row.id).count() == 0
        assert session.query(LogEntry).filter_by(uid=again).one().project_id == other.id


def test_a_narrow_key_finds_no_way_around_its_scopes(stack: Stack) -> None:
    keys = ApiKeys(stack.database)
    made = {
        scope: keys.create(Actor.operator(), stack.project.id, scope, Allowed(scopes=(scope,)))[1]
        for scope in ("infer", "report", "feedback")
    }
    asked = {
        "model": "triage",
        "messages": [{"role": "user", "content": "x"}],
        "prompt": "x",
        "input": "x",
        "max_tokens": 1,
    }
    needs = {
        "infer": [
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/embeddings",
            "/v1/responses",
            "/v1/messages",
            "/api/v1/chat/completions",
        ],
        "report": [
            "/v1/report",
            "/v1/traces",
            "/v1/otlp/v1/traces",
            "/v1/otlp/v1/logs",
            "/v1/intake/litellm",
            "/v1/logs",
            "/custom/v1/log",
            "/oai/v1/log",
        ],
        "feedback": [
            "/v1/feedback",
            "/v1/logs/x/feedback",
            "/v1/request/x/feedback",
            "/v1/request/x/score",
            "/api/public/scores",
        ],
    }
    needs["report"] += ["/anthropic/v1/log", "/api/v1/report", "/api/v1/report-anthropic", "/api/public/ingestion"]
    with httpx.Client(base_url=stack.url, timeout=WAIT_S) as web:
        for scope, secret in made.items():
            shown = (
                {"authorization": f"Bearer {secret}"},
                {"x-api-key": secret},
                {"helicone-auth": f"Bearer {secret}"},
            )
            for needed, paths in needs.items():
                for path in [*paths, *(f"{path}/" for path in paths)]:
                    for headers in shown if path in paths else shown[:1]:
                        answer = web.post(path, json=asked, headers=headers)
                        assert (answer.status_code == 403) == (scope != needed), (scope, path, answer.text[:200])
                        assert secret not in answer.text


def test_after_all_of_this_the_gateway_is_well_and_no_key_lies_on_the_disk(own_stack: Stack) -> None:
    stack, key = own_stack, "sk-proj-0123456789abcdefABCDEF0123456789"
    turn = [{"role": "user", "content": f"{key} {stack.secret} {UPSTREAM_KEY}"}]
    odd = {
        "authorization": f"Bearer {stack.secret}",
        "x-session-id": key,
        "helicone-user-id": key,
        "op-tags": json.dumps({key: key}),
    }
    odd |= {
        "helicone-property-a": key,
        "x-portkey-metadata": json.dumps({"_user": key}),
        "x-whetstone-tags": f"k={key},{key}",
    }
    said = {"kind": "comment", "text": key, "given_by": key, "source": key, "name": key, "feedback_id": key, "uid": key}
    with httpx.Client(base_url=stack.url, headers=odd, timeout=WAIT_S) as web:
        for model in ("triage", key, "half-broken"):
            body = {"model": model, "messages": turn, "user": key, "metadata": {key: key, "x": key}, key: key}
            assert_harmless(stack, web.post("/v1/chat/completions", json=body, params={"key": key}))
            web.post("/v1/chat/completions", content=json.dumps(body)[:-1].encode())
        assert web.post("/v1/feedback", json=said).status_code == 202
        call = {
            "request": {"model": key, "messages": turn, key: key},
            "response": {key: turn},
            "error": key,
            "user_id": key,
        }
        assert web.post("/v1/report", json=call | {"external_id": key, "tags": {key: key}}).status_code == 202
        assert web.get(f"/v1/{key}").status_code == 404
        assert web.get("/health").status_code == 200
    stack.drain()
    assert len(stack.all_entries()) >= 4 and isinstance(stack.database, Database)
    for secret in (key, stack.secret, UPSTREAM_KEY):
        assert not [data for data in kept_files(stack) if secret.encode() in data]
    assert not list((stack.settings.journal / "damaged").glob("*"))
