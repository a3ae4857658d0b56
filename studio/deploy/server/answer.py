"""Answer: a whole generation with its timing; and giving up on one when its caller has gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from studio.deploy.server.engine import Engine, Token
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.wire import Sampling

Result = TypeVar("Result")


class CallerGone(Exception):
    """The client closed its connection before the answer was ready."""


@dataclass
class Answer:
    """All tokens of one reply."""

    prompt_tokens: int
    tokens: list[Token] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The whole text, special tokens left out."""
        return self.tokens[-1].whole if self.tokens else ""

    @property
    def finish(self) -> str:
        """Why it ended: length, eos_token or stop_sequence."""
        return (self.tokens[-1].finish if self.tokens else None) or "length"

    def headers(self, device: str) -> dict[str, str]:
        """TGI's timing headers."""
        spent = str(round(self.seconds * 1000))
        return {
            "x-compute-type": device,
            "x-compute-time": f"{self.seconds:.6f}",
            "x-total-time": spent,
            "x-validation-time": "0",
            "x-queue-time": "0",
            "x-inference-time": spent,
            "x-time-per-token": str(round(self.seconds * 1000 / max(1, len(self.tokens)))),
            "x-prompt-tokens": str(self.prompt_tokens),
            "x-generated-tokens": str(len(self.tokens)),
        }


async def collect(engine: Engine, metrics: Metrics, ids: list[int], sampling: Sampling) -> Answer:
    """Generate to the end."""
    answer, started = Answer(len(ids)), time.perf_counter()
    async with aclosing(engine.generate(ids, sampling)) as tokens:
        async for token in tokens:
            answer.tokens.append(token)
    answer.seconds = time.perf_counter() - started
    metrics.served(answer.seconds, len(ids), len(answer.tokens))
    return answer


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work, and drop it as soon as the caller hangs up. Raises CallerGone then."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGone()
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
