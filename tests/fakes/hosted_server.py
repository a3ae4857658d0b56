"""What the recorded contracts share: a real HTTP server with a key, jobs that a test drives, and faults on demand."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Asked:
    """A request as a route sees it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def form(self) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
        """Fields and files of a multipart body."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        fields: dict[str, str] = {}
        files: dict[str, tuple[str, bytes]] = {}
        for part in message_from_bytes(head + self.body, policy=policy.HTTP).iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if filename := part.get_filename():
                files[str(name)] = (filename, content)
            else:
                fields[str(name)] = content.decode()
        return fields, files


@dataclass
class Fault:
    """Something that goes wrong `times` times on requests whose line fits."""

    line: str
    status: int = 0
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    said: str = "not now"
    body: str = ""
    """The answer as it is, instead of the company's usual shape."""
    after: bool = False
    """The work is done, and the answer is lost."""
    holds: bool = False
    """No answer comes before the server closes."""


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class HostedServer:
    """A company's API on a free port. Subclasses answer in `answer`."""

    key = "sk-real-key"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.faults: list[Fault] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> dict[str, Any]:
        raise Refusal(404, f"no such path: {asked.path}")

    def may(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {self.key}"

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        return {"error": {"message": refusal.message, "type": "invalid_request_error"}}

    def asked_for(self, line: str) -> int:
        """How often a request fitted."""
        return sum(bool(re.search(line, each)) for each in self.lines)

    def rows(self, name: str = "train") -> list[dict[str, Any]]:
        """The rows of the file that was uploaded under this part of its name."""
        found = next(content for path, content in self.files.items() if name in path)
        return [json.loads(line) for line in found.splitlines()]

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _go(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                server._respond(self, Asked(self.command, unquote(parts.path), query, headers, body))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _go

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        return Handler

    def _respond(self, to: BaseHTTPRequestHandler, asked: Asked) -> None:
        line = f"{asked.method} {asked.path}"
        self.lines.append(line)
        fault = next((each for each in self.faults if each.times and re.search(each.line, line)), None)
        if fault:
            fault.times -= 1
        if fault and fault.holds:
            self.closing.wait(60)
            to.close_connection = True
            return
        if fault and not fault.after:
            self._send(
                to, fault.status, fault.body or self.error_body(Refusal(fault.status, fault.said)), fault.headers
            )
            return
        try:
            if not self.may(asked):
                raise Refusal(401, f"Incorrect API key provided: {asked.headers.get('authorization', '')[7:]}")
            status, body = 200, self.answer(asked)
        except Refusal as refusal:
            status, body = refusal.status, self.error_body(refusal)
        if fault:
            to.close_connection = True
            return
        self._send(to, status, body, {})

    def _send(
        self, to: BaseHTTPRequestHandler, status: int, body: dict[str, Any] | str, headers: dict[str, str]
    ) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        to.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(content)


def checked_rows(content: bytes, preference: bool, openai_tools: bool = True) -> int:
    """Refuse what the documented upload formats do not allow; how many rows there are."""
    lines = content.decode().splitlines()
    for number, line in enumerate(lines, 1):
        row = json.loads(line)
        wanted = {"input", "preferred_output", "non_preferred_output"} if preference else {"messages"}
        if wanted - set(row) or set(row) - wanted - {"tools"}:
            raise Refusal(400, f"line {number}: expected {sorted(wanted)}, got {sorted(row)}")
        asked = row["input"]["messages"] if preference else row["messages"]
        answers = row["preferred_output"] + row["non_preferred_output"] if preference else asked[-1:]
        if preference and asked[-1]["role"] == "assistant":
            raise Refusal(400, f"line {number}: the prompt ends with the assistant")
        if not answers or any(answer["role"] != "assistant" for answer in answers):
            raise Refusal(400, f"line {number}: the answer is not the assistant's")
        _check_tools([*asked, *answers], number)
    return len(lines)


def _check_tools(messages: list[dict[str, Any]], number: int) -> None:
    known = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    for message in messages:
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"]["arguments"], str):
                raise Refusal(400, f"line {number}: a call's arguments are no text")
        if message["role"] == "tool" and message.get("tool_call_id") not in known:
            raise Refusal(400, f"line {number}: a result names no call")
