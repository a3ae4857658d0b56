"""The embedded server around an engine without a model: `python -m tests.fakes.slow_engine PORT FOLDER`.

An answer has four tokens; the last two come when FOLDER/go exists.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from studio.deploy.server.app import Server
from studio.deploy.server.drain import serve
from studio.deploy.server.engine import Options
from studio.deploy.server.spell import Token

WORDS = ["one ", "two ", "three ", "four"]


class Letters:
    """A tokenizer of letters."""

    def render(self, messages: list[dict[str, Any]], _tools: Any = None) -> str:
        return str(messages[-1]["content"])

    async def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [ord(letter) for letter in text]


class SlowEngine:
    """What Server asks of an engine."""

    device, max_total, alive, waiting = "cpu", 512, True, 0

    def __init__(self, go: Path) -> None:
        self.options, self.text, self.running, self._go = Options(), Letters(), 0, go

    def check(self, *_args: Any) -> None:
        """Everything can be answered."""

    def stop(self) -> None:
        """Nothing to end."""

    async def generate(self, _ticket: Any) -> AsyncGenerator[list[Token]]:
        self.running += 1
        try:
            for count, word in enumerate(WORDS, start=1):
                while count > 2 and not self._go.exists():
                    await asyncio.sleep(0.01)
                finish = "length" if count == len(WORDS) else None
                yield [Token(count, word, 0.0, False, count, "".join(WORDS[:count]), finish)]
        finally:
            self.running -= 1


if __name__ == "__main__":
    engine: Any = SlowEngine(Path(sys.argv[2]) / "go")
    serve(Server(engine, "slow"), "127.0.0.1", int(sys.argv[1]))
