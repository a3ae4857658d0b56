"""OpenAI's completions: one text to go on with."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from studio.deploy.server.answer import Answer
from studio.deploy.server.errors import invalid
from studio.deploy.server.openai_routes import FINISH, OpenAiRoutes
from studio.deploy.server.openai_wire import CompletionRequest
from studio.deploy.server.spell import Text, Token
from studio.deploy.server.text import cut
from studio.deploy.server.wire import parse


class CompletionRoutes(OpenAiRoutes):
    """Text in, text out, in OpenAI's shape."""

    async def complete(self, request: Request, body: Any) -> Response:
        """POST /v1/completions."""
        asked = parse(CompletionRequest, body)
        self.check_name(asked)
        sampling = asked.sampling()
        if not asked.prompt:
            raise invalid("`prompt` cannot be empty")
        ids = await self.engine.text.encode(asked.prompt)
        return await self.reply(request, asked, ids, sampling, CompletionShape(asked, self.engine.text))


class CompletionShape:
    """Texts."""

    prefix, whole_kind, chunk_kind, holds = "cmpl", "text_completion", "text_completion", False

    def __init__(self, asked: CompletionRequest, text: Text) -> None:
        self._asked, self._text = asked, text

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The text."""
        text = answer.text[: cut(answer.text, answer.ticket.sampling.stop)]
        return {"text": text, "logprobs": self._logprobs(answer.tokens), "finish_reason": FINISH[answer.finish]}

    def opening(self) -> None:
        """Nothing comes before the text."""

    def piece(self, text: str, tokens: list[Token]) -> dict[str, Any]:
        """More of the text."""
        return {"text": text, "logprobs": self._logprobs(tokens), "finish_reason": None}

    def held(self, answer: Answer) -> tuple[dict[str, Any], str]:
        """The whole text as one part."""
        return self.whole(answer), FINISH[answer.finish]

    def end(self, finish: str) -> dict[str, Any]:
        """Why it ended."""
        return {"text": "", "logprobs": None, "finish_reason": finish}

    def _logprobs(self, tokens: list[Token]) -> dict[str, Any] | None:
        if self._asked.logprobs is None:
            return None
        shown = [token for token in tokens if token.finish != "eos_token"]
        return {
            "tokens": [self._text.decode_special([token.id]) for token in shown],
            "token_logprobs": [token.logprob for token in shown],
            "top_logprobs": [{top.text: top.logprob for top in token.top} for token in shown],
            "text_offset": [len(token.whole) - len(token.text) for token in shown],
        }
