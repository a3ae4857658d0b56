"""OpenAI's chat completions: whole and streamed, stop strings left out, tool calls read from the text."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from studio.deploy.server.answer import collect, while_connected
from studio.deploy.server.engine import Engine
from studio.deploy.server.errors import WireError, unknown_model
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.promise import JsonPromise, promise
from studio.deploy.server.stream import DONE, event, event_stream
from studio.deploy.server.text import StopFilter, cut
from studio.deploy.server.wire import ChatRequest, Sampling, parse

FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
ANY_MODEL = (None, "tgi")
TOOL_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


class ChatRoutes:
    """Conversation in, message out."""

    def __init__(self, engine: Engine, name: str, metrics: Metrics) -> None:
        self.engine, self.name, self.metrics = engine, name, metrics

    async def complete(self, request: Request, body: Any) -> Response:
        """POST /v1/chat/completions."""
        asked = self._parse(body)
        sampling = asked.sampling()
        ids = self.engine.encode(self._render(asked), add_special_tokens=False)
        promised = promise(asked.response_format)
        if asked.stream:
            return self._stream(asked, ids, sampling, promised)
        answer = await while_connected(request, collect(self.engine, self.metrics, ids, sampling))
        message, finish = _outcome(answer.text, FINISH[answer.finish], asked, sampling, promised)
        choice = _choice("message", message, finish)
        usage = _usage(len(ids), len(answer.tokens))
        reply = {**self._head("chat.completion"), "choices": [choice], "usage": usage}
        return JSONResponse(reply, headers=answer.headers(self.engine.device))

    async def tokenize(self, _request: Request, body: Any) -> Response:
        """POST /chat_tokenize: the exact prompt this server makes of a conversation."""
        text = self._render(self._parse(body))
        return JSONResponse(
            {"templated_text": text, "tokenize_response": self.engine.spans(text, add_special_tokens=False)}
        )

    def _parse(self, body: Any) -> ChatRequest:
        asked = parse(ChatRequest, body)
        if asked.model not in (*ANY_MODEL, self.name):
            raise unknown_model(asked.model or "", self.name)
        return asked

    def _render(self, asked: ChatRequest) -> str:
        return self.engine.render(asked.conversation(), asked.usable_tools)

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.name,
            "system_fingerprint": "studio-embedded",
        }

    def _stream(self, asked: ChatRequest, ids: list[int], sampling: Sampling, promised: JsonPromise | None) -> Response:
        self.engine.check(ids, sampling)

        async def events() -> AsyncIterator[str]:
            head = self._head("chat.completion.chunk")
            try:
                async for piece in self._pieces(asked, ids, sampling, promised):
                    yield event({**head, **piece})
            except WireError as error:
                self.metrics.failures[error.error_type] += 1
                yield event({"error": {"message": error.message, "http_status_code": error.status}})
            yield DONE

        return event_stream(events())

    async def _pieces(
        self, asked: ChatRequest, ids: list[int], sampling: Sampling, promised: JsonPromise | None
    ) -> AsyncIterator[dict[str, Any]]:
        held, started = StopFilter(sampling.stop), time.perf_counter()
        whole_first = bool(asked.usable_tools or promised)
        yield _chunk({"role": "assistant", "content": ""})
        async with aclosing(self.engine.generate(ids, sampling)) as tokens:
            async for token in tokens:
                piece = "" if whole_first else held.release(token.whole, token.finish is not None)
                if piece:
                    yield _chunk({"content": piece})
        finish = FINISH[token.finish or "length"]
        if whole_first:
            message, finish = _outcome(token.whole, finish, asked, sampling, promised)
            yield _chunk(_as_delta(message))
        yield _chunk({}, finish)
        self.metrics.served(time.perf_counter() - started, len(ids), token.index)
        if asked.wants_usage:
            yield {"choices": [], "usage": _usage(len(ids), token.index)}


def _outcome(
    text: str, finish: str, asked: ChatRequest, sampling: Sampling, promised: JsonPromise | None
) -> tuple[dict[str, Any], str]:
    """The message that a whole text makes, once it has been checked, and why it ended."""
    text = text[: cut(text, sampling.stop)]
    message, called = _message(text, asked)
    if called:
        return message, "tool_calls"
    if promised and finish != "length":  # a cut answer says so itself, as it does at OpenAI
        promised.check(text)
    return message, finish


def _message(text: str, asked: ChatRequest) -> tuple[dict[str, Any], bool]:
    calls = _tool_calls(text) if asked.usable_tools else []
    if not calls:
        return {"role": "assistant", "content": text}, False
    rest = TOOL_CALL.sub("", text).strip()
    return {"role": "assistant", "content": rest or None, "tool_calls": calls}, True


def _tool_calls(text: str) -> list[dict[str, Any]]:
    """Calls in the form most open models write: <tool_call>{"name", "arguments"}</tool_call>."""
    calls = []
    for found in TOOL_CALL.findall(text):
        try:
            call = json.loads(found)
            function = {"name": str(call["name"]), "arguments": json.dumps(call.get("arguments", {}))}
        except (ValueError, KeyError):
            return []  # not a call after all: the caller gets the text as it is
        calls.append({"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function})
    return calls


def _as_delta(message: dict[str, Any]) -> dict[str, Any]:
    calls = [{"index": place, **call} for place, call in enumerate(message.get("tool_calls", []))]
    return {"content": message["content"], **({"tool_calls": calls} if calls else {})}


def _choice(part: str, message: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, part: message, "logprobs": None, "finish_reason": finish}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [_choice("delta", delta, finish)], "usage": None}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
