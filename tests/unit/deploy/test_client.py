"""Our questions to a server: four dialects, every failure one sentence, and the key never travels on."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from studio.deploy.client import ServerBusy, ServerClient, timed
from studio.errors import Unavailable
from tests.fakes.tgi import FakeTgi

ASKED = [{"role": "user", "content": "Hi"}]
Answer = tuple[int, dict[str, str], Any]


@contextmanager
def server(answer: Callable[[str, dict[str, Any]], Answer]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers as told; and the headers it saw."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            status, headers, told = answer(self.path, body)
            data = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests do not need an access log."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}", seen
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def completion(text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | more
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def fails(answer: Answer, pattern: str, kind: type[Unavailable] = Unavailable) -> None:
    with server(lambda _path, _body: answer) as (url, _seen):
        for dialect in ("tgi", "openai"):
            client = ServerClient(url, "m", "sk-1", dialect)
            with pytest.raises(kind, match=pattern):
                client.chat(ASKED)
            with pytest.raises(kind, match=pattern):
                client.greedy(ASKED, "Hi", 2)


def test_a_refused_key_is_said() -> None:
    fails((401, {}, b""), "refused our key")


def test_an_unknown_model_is_said() -> None:
    fails((404, {}, {"error": "no such model"}), "does not know this model name")


def test_a_conversation_that_is_too_long_is_said() -> None:
    error = {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048."}
    fails((422, {}, error | {"error_type": "validation"}), "conversation is too long")


def test_a_server_with_too_many_calls_is_busy() -> None:
    fails((429, {}, {"error": "Model is overloaded", "error_type": "overloaded"}), "too many calls", ServerBusy)


def test_an_answer_that_is_no_answer_is_said() -> None:
    fails((200, {"content-type": "application/json"}, b"[]"), "in a form we cannot read")


def test_nothing_at_the_address_is_said() -> None:
    with pytest.raises(Unavailable, match="Nothing answers at"):
        ServerClient("http://127.0.0.1:9", "m").chat(ASKED)
    assert not ServerClient("http://127.0.0.1:9", "m").healthy()
    assert not ServerClient("http://[", "m").healthy()


def test_a_server_that_takes_too_long_is_given_up() -> None:
    held = threading.Event()

    def wait(_path: str, _body: dict[str, Any]) -> Answer:
        held.wait(60)
        return 200, {}, completion("late")

    with server(wait) as (url, _seen):
        with pytest.raises(Unavailable, match="took too long"):
            ServerClient(url, "m", timeout_s=0.2).chat(ASKED)
        held.set()


def test_a_key_is_never_sent_on_to_another_address() -> None:
    with server(lambda _path, _body: (200, {}, completion("stolen"))) as (elsewhere, stolen):
        moved = (307, {"location": f"{elsewhere}/v1/chat/completions"}, b"")
        fails(moved, "sends us on to")
        with server(lambda _path, _body: moved) as (url, seen):
            assert not ServerClient(url, "m", "sk-1", "openai").healthy()
            assert seen and seen[0]["authorization"] == "Bearer sk-1"
        assert stolen == []


def test_the_hubs_own_token_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with server(lambda _path, _body: (200, {}, completion("hello"))) as (url, seen):
        assert ServerClient(url, "m").chat(ASKED) == "hello"
        assert "hf_secret" not in json.dumps(seen)


def test_vllm_tells_token_ids_of_prompt_and_answer() -> None:
    def answer(path: str, body: dict[str, Any]) -> Answer:
        if path == "/tokenize":
            return 200, {}, {"count": 2, "max_model_len": 9, "tokens": [5, 6]}
        assert body["return_token_ids"] and body["temperature"] == 0 and body["repetition_penalty"] == 1.0
        return 200, {}, completion("a b", token_ids=[1, 2, 0])

    with server(answer) as (url, _seen):
        client = ServerClient(url, "m", dialect="vllm")
        said = client.greedy(ASKED, "", 3)
        assert (said.tokens, said.ended, said.prompt_tokens, said.text) == ([1, 2], True, 3, "a b")
        assert client.shown_prompt(ASKED).ids == [5, 6]


def test_other_servers_tell_words_and_the_number_of_prompt_tokens() -> None:
    with server(lambda _path, _body: (200, {}, completion("a b"))) as (url, _seen):
        client = ServerClient(url, "m", dialect="openai")
        said = client.greedy(ASKED, "", 3)
        assert (said.tokens, said.text, said.prompt_tokens) == (None, "a b", 3)
        assert client.shown_prompt(ASKED).text is client.shown_prompt(ASKED).ids is None


@pytest.mark.parametrize(("status", "names"), [(200, ["acme/triage-1"]), (404, [])])
def test_at_a_shared_address_a_name_is_proven_by_an_answer(status: int, names: list[str]) -> None:
    asked: list[dict[str, Any]] = []

    def company(path: str, body: dict[str, Any]) -> Answer:
        asked.append(body)
        return (status, {}, completion("Hi") if status == 200 else {"error": {"message": "no such model"}})

    with server(company) as (url, seen):
        client = ServerClient(url, "acme/triage-1", "sk", "shared")
        assert client.names() == names and client.shown_prompt(ASKED).text is None
        assert [each["path"] for each in seen] == ["/v1/chat/completions"]
    assert (asked[0]["model"], asked[0]["max_tokens"]) == ("acme/triage-1", 1)


def test_a_shared_address_that_refuses_the_key_says_so() -> None:
    refused = {"error": {"message": "bad key"}}
    with server(lambda path, body: (401, {}, refused)) as (url, _), pytest.raises(Unavailable, match="refused our key"):
        ServerClient(url, "acme/triage-1", "sk", "shared").names()


def test_an_answer_comes_piece_by_piece() -> None:
    pieces = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in ("Hel", "lo", "")]
    lines = "".join(f"data: {json.dumps(piece)}\n\n" for piece in [*pieces, {"choices": []}]) + "data: [DONE]\n\n"
    with server(lambda _path, _body: (200, {"content-type": "text/event-stream"}, lines.encode())) as (url, _seen):
        assert list(ServerClient(url, "m").stream(ASKED)) == ["Hel", "lo"]


def test_an_error_in_the_middle_of_a_stream_is_said() -> None:
    piece = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    error = {"error": {"message": "the engine gave up", "http_status_code": 422}}
    lines = f"data: {json.dumps(piece)}\n\ndata: {json.dumps(error)}\n\n"
    with server(lambda _path, _body: (200, {"content-type": "text/event-stream"}, lines.encode())) as (url, _seen):
        stream = ServerClient(url, "m").stream(ASKED)
        assert next(stream) == "Hel"
        with pytest.raises(Unavailable, match="the engine gave up"):
            list(stream)


def test_an_answer_is_asked_of_the_adapter_by_its_name_and_timed() -> None:
    with FakeTgi().running() as fake:
        client = ServerClient(fake.url, "triage-r1")
        client.greedy_tokens("hello", 2)
        assert fake.seen[-1]["parameters"]["adapter_id"] == "triage-r1"
        assert timed(client, ASKED, 4).milliseconds > 0
