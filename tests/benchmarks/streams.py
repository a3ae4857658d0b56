"""A load of streamed chats on raw sockets, so that what is measured is the server and not a client library."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any

PROMPTS = [
    "The app crashes when I open it.",
    "I was charged twice.",
    "How do I export?",
    "My seat is broken.",
    "Hello there",
    "Export again please",
    "What is the price?",
    "Why is it slow?",
]
MAX_TOKENS = 64


@dataclass(frozen=True)
class Load:
    """What a round of streams took."""

    seconds: float
    texts: list[str]
    first_ms: float
    """Median time until the first text."""


async def streams(port: int, model: str, key: str, at_once: int, count: int) -> Load:
    """So many chats, so many at once."""
    places, answers = asyncio.Semaphore(at_once), [("", 0.0)] * count

    async def one(number: int) -> None:
        async with places:
            answers[number] = await _chat(port, model, key, PROMPTS[number % len(PROMPTS)])

    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.perf_counter() - started
    return Load(seconds, [text for text, _ in answers], statistics.median(first for _, first in answers) * 1000)


async def _chat(port: int, model: str, key: str, prompt: str) -> tuple[str, float]:
    messages = [{"role": "user", "content": prompt}]
    asked = {"model": model, "messages": messages, "max_tokens": MAX_TOKENS, "temperature": 0, "stream": True}
    body = json.dumps(asked).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    head += b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n" % (key.encode(), len(body))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started, first, text = time.perf_counter(), 0.0, ""
    writer.write(head + body)
    while line := await reader.readline():
        text += _text(line)
        if text and not first:
            first = time.perf_counter() - started
    writer.close()
    return text, first


def _text(line: bytes) -> str:
    if not line.startswith(b"data: {"):
        return ""
    event: dict[str, Any] = json.loads(line[6:])
    assert "error" not in event, event
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])
