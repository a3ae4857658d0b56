"""What happens on the wire, against the real process: hostile, slow, huge and interrupted requests and answers."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.database import Database
from studio.access.actor import Actor
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from tests.fakes.raw_upstream import RawUpstream, raw_upstream, read_message
from tests.fakes.upstream import serve
from tests.integration.gateway.conftest import Stack, fill, find_port, make_settings, running_gateway

pytestmark = pytest.mark.slow

LOG_ID = "x-whetstone-log-id"
CHAT = "/v1/chat/completions"
KEY = "sk-provider-0123456789abcdefghijklmnop"
WAIT_S = 60.0
HASTY = "from studio.gateway.server import limits; limits.READ_S = 0.5"
"""A deadline that a test can wait for."""
IDLE = 1000
ODD = (
    b': a comment\r\n\r\ndata: {"model" : "raw-stream", "choices":[{"delta":{"content":"caf\xc3\xa9"}}]}\r\n\r\n'
    b"event: x\ndata:no json at all \xff\xfe\n\ndata: {}\n"
    b'data: {"model":"raw-stream","usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    b"data: [DONE]\n\n: and after it\n\n"
)
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(ODD)
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
WHOLE = b'{"id":"x","choices":[ {"message":{"role":"assistant","content":"ok"}} ], "model":"raw-whole", "odd":\t1e2}'
CUT = b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'
TOO_MANY = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'
SCRIPTS = {
    "raw-stream": [STREAM, *(ODD[at : at + 37] for at in range(0, len(ODD), 37))],
    "raw-until-closed": [UNTIL_CLOSED + ODD[:50], ODD[50:]],
    "raw-whole": [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE) + WHOLE
    ],
    "raw-cut": [
        UNTIL_CLOSED.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"),
        b"%x\r\n%b\r\n" % (len(CUT), CUT),
    ],
    "raw-drip": [UNTIL_CLOSED, *[CUT] * 3000],
    "raw-busy": [
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
        b"retry-after: 17\r\nretry-after-ms: 17000\r\nx-ratelimit-remaining-requests: 0\r\ncontent-length: %d\r\n\r\n"
        % len(TOO_MANY)
        + TOO_MANY
    ],
    "raw-down": [b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n"],
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with raw_upstream(SCRIPTS) as found:
        yield found


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, raw: RawUpstream) -> Iterator[Stack]:
    """A gateway that has patience with upstreams, and 16 MB for a prompt."""
    home = tmp_path_factory.mktemp("wire") / "home"
    settings = make_settings(home, find_port())
    home.mkdir(parents=True)
    shutil.copy(migrated_file, home / "studio.db")
    database, port = Database(settings.database), find_port()
    with serve(port) as upstream:
        project, secret, key_id = fill(
            database, settings, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{find_port()}"
        )
        address = f"http://127.0.0.1:{raw.port}/v1"
        Providers(database, SecretBox(settings.secrets)).save(
            Actor.operator(), project.id, "raw", address, KEY, list(SCRIPTS), {}
        )
        with running_gateway(settings, WAIT_S, max_body_mb=16) as process:
            yield Stack(settings, database, project, secret, key_id, upstream, settings.gateway_url, process, port)
    database.close()


@pytest.fixture(scope="module")
def hasty(wired: Stack) -> Iterator[Stack]:
    """Another gateway beside it that waits for no request longer than half a second."""
    settings = wired.settings.model_copy(update={"gateway_port": find_port()})
    with running_gateway(settings, before=HASTY) as process:
        yield replace(wired, settings=settings, url=settings.gateway_url, process=process)


def body_of(model: str, content: str = "Hi", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


def head_of(stack: Stack, *headers: str, method: str = "POST", path: str = CHAT) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {stack.secret}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def asked(stack: Stack, body: bytes) -> bytes:
    return head_of(stack, f"content-length: {len(body)}") + body


def dial(stack: Stack) -> socket.socket:
    return socket.create_connection(("127.0.0.1", stack.settings.gateway_port), timeout=WAIT_S)


def more(line: socket.socket) -> bytes:
    found = line.recv(1 << 16)
    assert found, "the gateway closed the connection"
    return found


def until_closed(line: socket.socket) -> bytes:
    seen = b""
    while found := line.recv(1 << 16):
        seen += found
    return seen


def recorded(stack: Stack, marker: str) -> Any:
    """The call with these words in its prompt, once it is there."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        stack.drain()
        found = [entry for entry in stack.all_entries() if marker in entry.prompt_text]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"{marker} was never recorded")


def counted(stack: Stack, status: int) -> int:
    lines = httpx.get(f"{stack.url}/metrics", timeout=WAIT_S).text.splitlines()
    return next(
        (int(line.split()[1]) for line in lines if line.startswith(f'whetstone_answers_total{{status="{status}"')), 0
    )


@pytest.mark.parametrize("model", ["raw-stream", "raw-until-closed"])
def test_a_stream_of_the_upstreams_own_model_is_the_same_byte_for_byte(wired: Stack, model: str) -> None:
    with wired.web as web:
        through = web.post(CHAT, content=body_of(model, stream=True))
    assert through.content == ODD
    assert wired.entry(through.headers[LOG_ID]).status == "ok"


def test_a_whole_answer_of_the_upstreams_own_model_is_the_same_byte_for_byte(wired: Stack, raw: RawUpstream) -> None:
    sent = b'{ "messages":[{"role":"user", "content":"caf\\u00e9 \xe6\x9d\xb1"}] ,"model":"raw-whole","seed":1e1}'
    with wired.web as web:
        assert web.post(CHAT, content=sent).content == WHOLE
    assert raw.asked[-1] == sent


@pytest.mark.parametrize(
    ("model", "status", "waits"), [("raw-busy", 429, ["17", "17000"]), ("raw-down", 503, ["9", None])]
)
def test_when_to_come_again_is_passed_on_as_the_upstream_says(
    wired: Stack, model: str, status: int, waits: Any
) -> None:
    with wired.web as web:
        told = web.post(CHAT, content=body_of(model))
    assert (told.status_code, [told.headers.get("retry-after"), told.headers.get("retry-after-ms")]) == (status, waits)
    assert told.headers.get("x-ratelimit-remaining-requests") == ("0" if status == 429 else None)
    entry = wired.entry(told.headers[LOG_ID])
    assert (entry.status, entry.http_status) == ("error", status)


def test_an_upstream_that_is_cut_in_a_stream_is_told_as_an_event_and_recorded_with_what_came(wired: Stack) -> None:
    with wired.web as web:
        told = web.post(CHAT, content=body_of("raw-cut", stream=True))
    assert told.content.startswith(CUT) and json.loads(told.content[len(CUT) + 6 :])["error"]["code"] == "upstream_cut"
    entry = wired.entry(told.headers[LOG_ID])
    assert entry.status == "cut" and entry.reply_text == "half" and "in the middle" in (entry.error or "")


@pytest.mark.parametrize(("model", "got"), [("up-mute", ""), ("raw-drip", "half")])
def test_a_caller_who_leaves_is_recorded_whether_anything_came_or_not(
    wired: Stack, raw: RawUpstream, model: str, got: str
) -> None:
    marker, before = f"leaving {model}", len(raw.asked) + len(wired.upstream.requests)
    with dial(wired) as line:
        line.sendall(asked(wired, body_of(model, marker, stream=True)))
        if got:
            seen = b""
            while got.encode() not in seen:
                seen += more(line)
        deadline = time.monotonic() + WAIT_S
        while len(raw.asked) + len(wired.upstream.requests) == before and time.monotonic() < deadline:
            time.sleep(0.01)
    entry = recorded(wired, marker)
    assert (entry.status, entry.http_status) == ("aborted", 499)
    assert entry.reply_text.startswith(got) and (got or not entry.reply_text)


@pytest.mark.parametrize("part", ["nothing of the head", "half a head", "half a body", "half a chunk"])
def test_a_request_that_never_comes_whole_is_given_up_and_counted(hasty: Stack, part: str) -> None:
    body, before = body_of("up-ok"), counted(hasty, 408)
    sent = {
        "nothing of the head": b"P",
        "half a head": head_of(hasty, "content-length: 10")[:-9],
        "half a body": asked(hasty, body)[:-5],
        "half a chunk": head_of(hasty, "transfer-encoding: chunked") + b"%x\r\n" % len(body) + body[:-5],
    }[part]
    with dial(hasty) as line:
        line.sendall(sent)
        told = until_closed(line)
    assert told.startswith(b"HTTP/1.1 408 ") and b"connection: close" in told and b"request_timeout" in told
    assert counted(hasty, 408) == before + 1


def test_a_prompt_of_ten_megabytes_arrives_whole_and_is_recorded(wired: Stack) -> None:
    words = "ten megabytes " * 750_000
    with wired.web as web:
        told = web.post(CHAT, content=body_of("up-ok", words))
    entry = wired.entry(told.headers[LOG_ID])
    assert told.status_code == 200 and wired.upstream.requests[-1]["messages"][0]["content"] == words
    assert entry.messages[0]["content"] == words


def test_a_prompt_over_the_limit_is_refused_while_it_is_being_sent(wired: Stack) -> None:
    with dial(wired) as line:
        line.sendall(head_of(wired, "content-length: 17000000") + b"x" * 100_000)
        told = until_closed(line)
    assert told.startswith(b"HTTP/1.1 413 ") and b"STUDIO_MAX_BODY_MB" in told


def test_a_thousand_idle_connections_do_not_disturb_live_calls(wired: Stack) -> None:
    idle = [dial(wired) for _ in range(IDLE)]
    try:
        for line in idle[::100]:  # some have had an answer, the others have never asked
            line.sendall(head_of(wired, method="GET", path="/health"))
            assert b"200 OK" in read_message(line)[0]
        with wired.web as web:
            assert {web.post(CHAT, content=body_of("up-ok")).status_code for _ in range(20)} == {200}
        for line in (idle[0], idle[1], idle[-1]):
            line.sendall(asked(wired, body_of("up-ok", "from an idle line")))
            assert b"200 OK" in read_message(line)[0]
    finally:
        for line in idle:
            line.close()


def test_pipelined_calls_are_answered_and_recorded_in_their_order(wired: Stack) -> None:
    with dial(wired) as line:
        line.sendall(b"".join(asked(wired, body_of("up-ok", f"pipelined {number}")) for number in range(5)))
        seen = b""
        while seen.count(b'"finish_reason"') < 5:
            seen += more(line)
    found = [part.split(b"\r\n")[0].decode() for part in seen.split(f"{LOG_ID}: ".encode())[1:]]
    assert seen.count(b"HTTP/1.1 200 OK") == 5
    assert [wired.entry(uid).prompt_text for uid in found] == [f"pipelined {number}" for number in range(5)]


@pytest.mark.parametrize("headers", [["x-long: " + "a" * 70_000], [f"x-{number}: a" for number in range(300)]])
def test_oversized_headers_are_refused_and_the_gateway_goes_on(wired: Stack, headers: list[str]) -> None:
    with dial(wired) as line:
        line.sendall(head_of(wired, *headers, "content-length: 0"))
        told = until_closed(line)
    assert told.startswith(b"HTTP/1.1 431 ") and b"headers_too_large" in told
    assert httpx.get(f"{wired.url}/health").status_code == 200


def test_a_prompt_in_chunks_is_put_together(wired: Stack) -> None:
    body = body_of("up-ok", "in chunks")
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    with wired.web as web:
        told = web.post(CHAT, content=iter(pieces))
    assert told.status_code == 200 and wired.entry(told.headers[LOG_ID]).prompt_text == "in chunks"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("HEAD", "/health", 200, None),
        ("HEAD", CHAT, 405, "POST"),
        ("OPTIONS", CHAT, 405, "POST"),
        ("DELETE", "/v1/logs/x/feedback", 405, "POST"),
        ("PATCH", "/v1/models", 405, "GET"),
        ("GET", "/v1/nothing/here", 404, None),
        ("GET", "/%2e%2e/etc/passwd", 404, None),
    ],
)
def test_other_methods_and_paths_are_answered_with_what_is_possible(
    wired: Stack, method: str, path: str, status: int, allow: str | None
) -> None:
    with wired.web as web:
        told = web.request(method, path)
        assert web.get("/health").status_code == 200
    assert (told.status_code, told.headers.get("allow")) == (status, allow)
    assert (told.content == b"") is (method == "HEAD")


def test_a_method_that_does_not_exist_is_no_request(wired: Stack) -> None:
    with dial(wired) as line:
        line.sendall(head_of(wired, method="BREW"))
        assert until_closed(line).startswith(b"HTTP/1.1 400 ")
