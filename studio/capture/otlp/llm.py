"""LlmSpan: what a convention says of a call to a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from studio.capture.otlp.content import Message
from studio.capture.reported import chat_reply


@dataclass
class LlmSpan:
    """The call itself; who made it and when is the same in all conventions and read elsewhere."""

    endpoint: str = "chat"
    model: str = ""
    served_model: str = ""
    messages: list[Message] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    choices: list[dict[str, Any]] = field(default_factory=list)
    prompt_tokens: Any = None
    completion_tokens: Any = None
    cost_usd: Any = None
    response_id: str | None = None
    first_token_ns: int | None = None
    stream: bool = False
    tags: dict[str, Any] = field(default_factory=dict)
    exact_request: dict[str, Any] | None = None
    """The request's body, where the span holds it as it was sent."""
    exact_response: dict[str, Any] | None = None

    def request(self) -> dict[str, Any]:
        """The body of the request."""
        if self.exact_request is not None:
            return {"model": self.model, **self.exact_request}
        body: dict[str, Any] = {"model": self.model, **self.params}
        if self.endpoint == "chat":
            body["messages"] = self.messages
        return body | ({"tools": self.tools} if self.tools else {})

    def response(self) -> dict[str, Any]:
        """The body of the answer."""
        if self.exact_response is not None:
            return self.exact_response
        return chat_reply(self.choices, model=self.served_model or self.model, reply_id=self.response_id)
