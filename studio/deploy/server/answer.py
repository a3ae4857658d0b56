"""Answer: whole generations with their timing; and giving up on one when its caller has gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from studio.deploy.server.engine import Engine, Ticket
from studio.deploy.server.metrics import Metrics, Served
from studio.deploy.server.spell import Token

Result = TypeVar("Result")


class CallerGone(Exception):
    """The client closed its connection before the answer was ready."""


@dataclass
class Answer:
    """All tokens of one reply."""

    ticket: Ticket
    tokens: list[Token] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole text, special tokens left out."""
        return self.tokens[-1].whole if self.tokens else ""

    @property
    def finish(self) -> str:
        """Why it ended: length, eos_token or stop_sequence."""
        return (self.tokens[-1].finish if self.tokens else None) or "length"


def served(answers: list[Answer]) -> Served:
    """What the answers to one request took, up to now."""
    ticket = answers[0].ticket
    total = time.perf_counter() - ticket.arrived
    return Served(
        total_s=total,
        validation_s=ticket.validation_s,
        queue_s=ticket.queue_s,
        inference_s=max(0.0, total - ticket.validation_s - ticket.queue_s),
        prompt_tokens=len(ticket.ids),
        generated_tokens=sum(len(answer.tokens) for answer in answers),
        max_new_tokens=ticket.sampling.max_new_tokens,
    )


def headers(spent: Served, device: str) -> dict[str, str]:
    """TGI's timing headers."""
    return {
        "x-compute-type": device,
        "x-compute-time": f"{spent.total_s:.6f}",
        "x-total-time": _milliseconds(spent.total_s),
        "x-validation-time": _milliseconds(spent.validation_s),
        "x-queue-time": _milliseconds(spent.queue_s),
        "x-inference-time": _milliseconds(spent.inference_s),
        "x-time-per-token": _milliseconds(spent.per_token_s),
        "x-prompt-tokens": str(spent.prompt_tokens),
        "x-generated-tokens": str(spent.generated_tokens),
    }


async def collect(engine: Engine, metrics: Metrics, tickets: list[Ticket]) -> list[Answer]:
    """Generate to the end."""
    answers = [Answer(ticket) for ticket in tickets]
    async with aclosing(together(engine, tickets)) as parts:
        async for choice, tokens in parts:
            answers[choice].tokens += tokens
    metrics.served(served(answers))
    return answers


async def together(engine: Engine, tickets: list[Ticket]) -> AsyncGenerator[tuple[int, list[Token]]]:
    """The tokens of several answers to one request as they come, each with its answer's number."""
    if len(tickets) == 1:
        async with aclosing(engine.generate(tickets[0])) as parts:
            async for tokens in parts:
                yield 0, tokens
        return
    queue: asyncio.Queue[tuple[int, list[Token]] | Exception | None] = asyncio.Queue()
    tasks = [asyncio.ensure_future(_pump(engine, ticket, choice, queue)) for choice, ticket in enumerate(tickets)]
    try:
        running = len(tasks)
        while running:
            part = await queue.get()
            if isinstance(part, Exception):
                raise part
            if part is None:
                running -= 1
            else:
                yield part
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(engine: Engine, ticket: Ticket, choice: int, queue: asyncio.Queue[Any]) -> None:
    try:
        async with aclosing(engine.generate(ticket)) as parts:
            async for tokens in parts:
                queue.put_nowait((choice, tokens))
        queue.put_nowait(None)
    except Exception as error:  # handed to whoever reads the answers, who raises it
        queue.put_nowait(error)


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work, and drop it as soon as the caller hangs up. Raises CallerGone then."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGone()
        return task.result()
    finally:
        gone.cancel()
        if task.cancel():
            with suppress(asyncio.CancelledError):
                await task


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
