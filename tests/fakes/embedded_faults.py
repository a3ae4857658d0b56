"""The embedded server with an engine that can fail on purpose: `python -m tests.fakes.embedded_faults ...`.

A prompt with `fault:KIND` in it gets that error, with `fault:mid-stream` after two tokens, with `fault:bug` an
exception nobody thought of. All else is the real server. Models that are not there yet are made first, in the same
process: torch is loaded once.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from studio.deploy.server import __main__ as program
from studio.deploy.server import engine
from studio.deploy.server.errors import WireError, failed
from studio.deploy.server.spell import Token
from tests.fakes import tiny_model
from tests.fakes.tgi import FAULT
from tests.fakes.tgi_checks import FAULTS

BEFORE_THE_FAULT = 2


class FaultyEngine(engine.Engine):
    """Reads its orders from the prompt."""

    async def generate(self, ticket: Any) -> AsyncGenerator[list[Token]]:
        found = FAULT.search(self.text.decode_special(ticket.ids))
        kind = found.group(1) if found else ""
        if kind in FAULTS:
            refusal = FAULTS[kind]
            raise WireError(refusal.status, refusal.error, refusal.error_type)
        if kind == "bug":
            raise ZeroDivisionError("planted")
        async with aclosing(super().generate(ticket)) as parts:
            async for tokens in parts:
                if kind == "mid-stream" and tokens[-1].number > BEFORE_THE_FAULT:
                    kept = [token for token in tokens if token.number <= BEFORE_THE_FAULT]
                    if kept:
                        yield kept
                    raise failed("planted")
                yield tokens


if __name__ == "__main__":
    models = Path(sys.argv[sys.argv.index("--model-dir") + 1]).parent
    if not (models / "golden.json").exists():
        tiny_model.main(models)
    engine.Engine = FaultyEngine  # type: ignore[misc]
    program.main()
