"""Today's model of the sample project: an OpenAI-compatible server that is right about four times in five.

    python -m studio.demo.teacher --port 8650

It knows the true triage and then errs the way a hurried general model does: a wrong field, JSON cut short, JSON wrapped
in prose. Which tickets it gets wrong follows from the ticket's text, so two runs are comparable. It waits `--delay-ms`
before each answer, because a hosted model would; latency figures of the sample are illustrative for that reason.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import typer
import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from studio.demo.tickets import MOODS, PRIORITIES, Triage, as_json, truth

MODEL = "sample-teacher"
CATEGORIES = ("billing", "shipping", "returns", "account", "technical")
WRONG_FIELD, TWO_WRONG, CUT_JSON, PROSE = 0.13, 0.03, 0.02, 0.02


class ChatRequest(BaseModel):
    """The part of an OpenAI chat request that this server reads."""

    model_config = ConfigDict(extra="allow")

    model: str = MODEL
    messages: list[dict[str, Any]]
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None


def answer(text: str) -> str:
    """What the teacher says about a ticket: usually right, wrong in the ways of a real model otherwise."""
    source = random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
    triage, luck = truth(text), source.random()
    if luck < WRONG_FIELD:
        return as_json(_err(triage, source))
    if luck < WRONG_FIELD + TWO_WRONG:
        return as_json(_err(_err(triage, source), source))
    if luck < WRONG_FIELD + TWO_WRONG + CUT_JSON:
        return as_json(triage)[: source.randrange(20, 60)]
    if luck < WRONG_FIELD + TWO_WRONG + CUT_JSON + PROSE:
        return f"Sure! Here is the triage:\n```json\n{as_json(triage)}\n```"
    return as_json(triage)


def _err(triage: Triage, source: random.Random) -> Triage:
    field = source.choice(["category", "priority", "priority", "sentiment", "sentiment", "needs_human"])
    choices: dict[str, list[Any]] = {
        "category": list(CATEGORIES),
        "priority": list(PRIORITIES),
        "sentiment": sorted(set(MOODS.values())),
        "needs_human": [True, False],
    }
    wrong = cast(dict[str, Any], {**triage})
    wrong[field] = source.choice([value for value in choices[field] if value != wrong[field]])
    return cast(Triage, wrong)


def build_app(delay_s: float) -> Starlette:
    """The server's ASGI app."""

    async def chat(request: Request) -> Response:
        try:
            body = ChatRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": {"message": str(error), "type": "invalid_request_error"}}, 400)
        text = next((str(m.get("content") or "") for m in reversed(body.messages) if m.get("role") == "user"), "")
        await asyncio.sleep(delay_s)
        head = {"id": f"chatcmpl-{time.time_ns():x}", "created": int(time.time()), "model": MODEL}
        usage = _usage(body.messages, answer(text))
        if body.stream:
            with_usage = bool((body.stream_options or {}).get("include_usage"))
            return StreamingResponse(_chunks(head, answer(text), usage, with_usage), media_type="text/event-stream")
        return JSONResponse(_completion(head, _message(text, body.tools), usage))

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "sample"}]})

    async def health(_request: Request) -> Response:
        return Response("ok")

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
        ]
    )


def _message(text: str, tools: list[dict[str, Any]] | None) -> dict[str, Any]:
    if not tools:
        return {"role": "assistant", "content": answer(text)}
    function = {"name": tools[0]["function"]["name"], "arguments": as_json(truth(text))}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def _completion(head: dict[str, Any], message: dict[str, Any], usage: dict[str, int]) -> dict[str, Any]:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


async def _chunks(head: dict[str, Any], text: str, usage: dict[str, int], with_usage: bool) -> AsyncIterator[str]:
    pieces = [text[at : at + 12] for at in range(0, len(text), 12)]
    for index, piece in enumerate(pieces):
        delta = {"content": piece, **({"role": "assistant"} if index == 0 else {})}
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps({**chunk, 'object': 'chat.completion.chunk'})}\n\n"


def _usage(messages: list[dict[str, Any]], reply: str) -> dict[str, int]:
    """Tokens counted as four characters each, the usual rule of thumb."""
    sent = sum(len(str(message.get("content") or "")) for message in messages) // 4 + 8
    return {"prompt_tokens": sent, "completion_tokens": len(reply) // 4, "total_tokens": sent + len(reply) // 4}


def main(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8650,
    delay_ms: Annotated[int, typer.Option(help="Wait before each answer, in milliseconds.")] = 120,
) -> None:
    """Serve the sample's model."""
    uvicorn.run(build_app(delay_ms / 1000), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    typer.run(main)
