"""Sample traffic: real `openai` client calls through the gateway, and what the support team says about the answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from openai import AsyncOpenAI, OpenAIError

from studio.demo.tickets import Ticket, as_json, prompt, truth
from studio.errors import Unavailable

STREAMED, WITH_TOOLS = 0.12, 0.03
NOTICED_ERRORS, THUMBS_UP, THUMBS_DOWN = 0.55, 0.25, 0.10
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "file_ticket",
        "description": "File the triaged ticket.",
        "parameters": {
            "type": "object",
            "properties": {
                "category": {"type": "string"},
                "priority": {"type": "string"},
                "sentiment": {"type": "string"},
                "needs_human": {"type": "boolean"},
            },
            "required": ["category", "priority", "sentiment", "needs_human"],
        },
    },
}


@dataclass
class Sent:
    """What came of the calls."""

    calls: int = 0
    failed: int = 0
    streamed: int = 0
    with_tools: int = 0
    corrections: int = 0
    thumbs: int = 0
    first_error: str = ""


@dataclass
class Traffic:
    """Sends tickets as the support tool would; `alias` is the only thing it knows about models."""

    gateway_url: str
    api_key: str
    alias: str
    concurrency: int = 24
    seed: int = 3
    sent: Sent = field(default_factory=Sent)

    async def send(self, tickets: list[Ticket], on_progress: Callable[[int], Awaitable[None]]) -> Sent:
        """Send every ticket, a share of them streamed or with tools, and give feedback on a share of the answers."""
        gate, source = asyncio.Semaphore(self.concurrency), random.Random(self.seed)
        plans = [(ticket, source.random(), source.random()) for ticket in tickets]
        async with (
            AsyncOpenAI(base_url=f"{self.gateway_url}/v1", api_key=self.api_key, max_retries=2) as client,
            httpx.AsyncClient(base_url=self.gateway_url, timeout=30) as web,
        ):

            async def one(ticket: Ticket, style: float, luck: float) -> None:
                async with gate:
                    await self._call(client, web, ticket, style, luck)
                await on_progress(self.sent.calls + self.sent.failed)

            await asyncio.gather(*(one(*plan) for plan in plans))
        return self.sent

    async def _call(
        self, client: AsyncOpenAI, web: httpx.AsyncClient, ticket: Ticket, style: float, luck: float
    ) -> None:
        try:
            uid, reply = await self._ask(client, ticket, style)
        except OpenAIError as error:
            self.sent.failed += 1
            self.sent.first_error = self.sent.first_error or str(error)
            return
        self.sent.calls += 1
        if style >= WITH_TOOLS:
            await self._judge(web, uid, ticket, reply, luck)

    async def _ask(self, client: AsyncOpenAI, ticket: Ticket, style: float) -> tuple[str, str]:
        tags = {"feature": "triage", "client": "support-tool"}
        messages: Any = prompt(ticket.text)
        raw = client.chat.completions.with_raw_response
        if style < WITH_TOOLS:
            self.sent.with_tools += 1
            tags["feature"] = "triage-tools"
            tools: Any = [TOOL]
            answer = await raw.create(model=self.alias, messages=messages, tools=tools, metadata=tags, temperature=0)
            answer.parse()
            return answer.headers.get("x-whetstone-log-id", ""), ""
        if style < WITH_TOOLS + STREAMED:
            self.sent.streamed += 1
            streamed = await raw.create(model=self.alias, messages=messages, stream=True, metadata=tags, temperature=0)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in streamed.parse() if chunk.choices]
            return streamed.headers.get("x-whetstone-log-id", ""), "".join(pieces)
        plain = await raw.create(model=self.alias, messages=messages, metadata=tags, temperature=0)
        return plain.headers.get("x-whetstone-log-id", ""), plain.parse().choices[0].message.content or ""

    async def _judge(self, web: httpx.AsyncClient, uid: str, ticket: Ticket, reply: str, luck: float) -> None:
        """Agents fix about half of the wrong triages they see; some press a thumb; most say nothing."""
        right = as_json(truth(ticket.text))
        if reply != right and luck < NOTICED_ERRORS:
            self.sent.corrections += 1
            await self._give(web, uid, {"kind": "correction", "text": right})
        elif reply != right and luck < NOTICED_ERRORS + THUMBS_DOWN:
            self.sent.thumbs += 1
            await self._give(web, uid, {"kind": "thumbs", "value": 0})
        elif reply == right and luck < THUMBS_UP:
            self.sent.thumbs += 1
            await self._give(web, uid, {"kind": "thumbs", "value": 1})

    async def _give(self, web: httpx.AsyncClient, uid: str, feedback: dict[str, Any]) -> None:
        body = {"uid": uid, "given_by": "support team", **feedback}
        answer = await web.post("/v1/feedback", json=body, headers={"authorization": f"Bearer {self.api_key}"})
        if answer.is_error:
            raise Unavailable(f"The gateway refused feedback ({answer.status_code}): {answer.text[:200]}")
