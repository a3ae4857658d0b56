"""OpenAI's chat completions: conversation in, message out; tool calls are read from the text."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from studio.deploy.server.answer import Answer
from studio.deploy.server.openai_routes import FINISH, OpenAiRoutes
from studio.deploy.server.openai_wire import ChatRequest
from studio.deploy.server.promise import JsonPromise, promise
from studio.deploy.server.spell import Text, Token
from studio.deploy.server.stream import Json
from studio.deploy.server.text import cut
from studio.deploy.server.wire import parse

TOOL_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


class ChatRoutes(OpenAiRoutes):
    """Conversation in, message out."""

    async def complete(self, request: Request, body: Any) -> Response:
        """POST /v1/chat/completions."""
        asked = self._parse(body)
        sampling, promised = asked.sampling(), promise(asked.response_format)
        ids = await self.engine.text.encode(self._render(asked), add_special_tokens=False)
        return await self.reply(request, asked, ids, sampling, ChatShape(asked, self.engine.text, promised))

    async def tokenize(self, _request: Request, body: Any) -> Response:
        """POST /chat_tokenize: the exact prompt this server makes of a conversation."""
        text = self._render(self._parse(body))
        return Json(
            {"templated_text": text, "tokenize_response": self.engine.text.spans(text, add_special_tokens=False)}
        )

    def _parse(self, body: Any) -> ChatRequest:
        asked = parse(ChatRequest, body)
        self.check_name(asked)
        return asked

    def _render(self, asked: ChatRequest) -> str:
        return self.engine.text.render(asked.conversation(), asked.usable_tools)


class ChatShape:
    """Messages and deltas."""

    prefix, whole_kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, asked: ChatRequest, text: Text, promised: JsonPromise | None) -> None:
        self._asked, self._text, self._promised = asked, text, promised
        self.holds = bool(asked.usable_tools or promised)

    def whole(self, answer: Answer) -> dict[str, Any]:
        """A message."""
        message, finish = self._outcome(answer)
        return {"message": message, "logprobs": self._logprobs(answer.tokens), "finish_reason": finish}

    def opening(self) -> dict[str, Any]:
        """Who speaks."""
        return _delta({"role": "assistant", "content": ""})

    def piece(self, text: str, tokens: list[Token]) -> dict[str, Any]:
        """More of the message."""
        return {"delta": {"content": text}, "logprobs": self._logprobs(tokens), "finish_reason": None}

    def held(self, answer: Answer) -> tuple[dict[str, Any], str]:
        """The whole message as one delta."""
        message, finish = self._outcome(answer)
        calls = [{"index": place, **call} for place, call in enumerate(message.get("tool_calls", []))]
        delta = {"content": message["content"], **({"tool_calls": calls} if calls else {})}
        return {"delta": delta, "logprobs": self._logprobs(answer.tokens), "finish_reason": None}, finish

    def end(self, finish: str) -> dict[str, Any]:
        """Why it ended."""
        return _delta({}, finish)

    def _outcome(self, answer: Answer) -> tuple[dict[str, Any], str]:
        """The message that a whole text makes, once it has been checked, and why it ended."""
        text = answer.text[: cut(answer.text, answer.ticket.sampling.stop)]
        message, called = self._message(text)
        if called:
            return message, "tool_calls"
        finish = FINISH[answer.finish]
        if self._promised and finish != "length":  # a cut answer says so itself, as it does at OpenAI
            self._promised.check(text)
        return message, finish

    def _message(self, text: str) -> tuple[dict[str, Any], bool]:
        calls = tool_calls(text) if self._asked.usable_tools else []
        if not calls:
            return {"role": "assistant", "content": text}, False
        rest = TOOL_CALL.sub("", text).strip()
        return {"role": "assistant", "content": rest or None, "tool_calls": calls}, True

    def _logprobs(self, tokens: list[Token]) -> dict[str, Any] | None:
        if not self._asked.logprobs:
            return None
        entries = []
        for token in tokens:
            if token.finish == "eos_token":
                continue
            tops = [{"token": top.text, "logprob": top.logprob, "bytes": None} for top in token.top]
            own = {"token": self._text.decode_special([token.id]), "logprob": token.logprob, "bytes": None}
            entries.append({**own, "top_logprobs": tops})
        return {"content": entries}


def tool_calls(text: str) -> list[dict[str, Any]]:
    """Calls in the form most open models write: <tool_call>{"name", "arguments"}</tool_call>."""
    calls = []
    for found in TOOL_CALL.findall(text):
        try:
            call = json.loads(found)
            function = {"name": str(call["name"]), "arguments": json.dumps(call.get("arguments", {}))}
        except (ValueError, KeyError, RecursionError):
            return []  # not a call after all: the caller gets the text as it is
        calls.append({"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function})
    return calls


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"delta": delta, "logprobs": None, "finish_reason": finish}
