"""The requests the server takes in OpenAI's shape: chat completions and completions."""

from __future__ import annotations

from typing import Any

from studio.deploy.server.errors import invalid
from studio.deploy.server.sampling import MAX_CHOICES, Sampling
from studio.deploy.server.wire import WireBody, positive, refuse, stops

# What these say changes nothing about the answer.
HARMLESS = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls"}
)


class StreamOptions(WireBody):
    """OpenAI's stream_options."""

    include_usage: bool = False


class OpenAiRequest(WireBody):
    """What chat completions and completions share."""

    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    best_of: int | None = None
    logit_bias: dict[str, float] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def choices(self) -> int:
        """How many answers are asked for. Raises a validation error."""
        count = 1 if self.n is None else self.n
        if not 1 <= count <= MAX_CHOICES:
            raise invalid(f"`n` must be >= 1 and <= {MAX_CHOICES}. Given: {count}")
        return count

    def _sampling(self, limit: int | None, logprobs: bool, top: int) -> Sampling:
        self.refuse_unknown(HARMLESS)
        refuse(best_of=(self.best_of not in (None, 1), "use `n` and choose among the answers"))
        positive(max_tokens=limit, top_k=self.top_k)
        if self.temperature is not None and self.temperature < 0:
            raise invalid("`temperature` must not be negative")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise invalid("`top_p` must be > 0.0 and <= 1.0")
        return Sampling(
            max_new_tokens=limit,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=self.top_k or 0,
            top_p=self.top_p or 1.0,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            logit_bias=_biases(self.logit_bias or {}),
            seed=self.seed,
            logprobs=logprobs,
            top=top,
            stop=stops(self.stop),
        )


class ChatRequest(OpenAiRequest):
    """`/v1/chat/completions`."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    tool_prompt: str | None = None
    response_format: dict[str, Any] | None = None

    def sampling(self) -> Sampling:
        """The engine's view: sampled unless the temperature is 0, which is greedy."""
        refuse(
            tool_choice=(self.tool_choice not in (None, "auto", "none"), "a call cannot be forced, use `auto`"),
            tool_prompt=(self.tool_prompt, "the model's chat template writes the tools"),
        )
        if self.top_logprobs and not self.logprobs:
            raise invalid("`top_logprobs` needs `logprobs`: true")
        limit = self.max_completion_tokens if self.max_tokens is None else self.max_tokens
        return self._sampling(limit, bool(self.logprobs), self.top_logprobs or 0)

    def conversation(self) -> list[dict[str, Any]]:
        """The messages as chat templates expect them: content as one string."""
        if not all(isinstance(message.get("role"), str) for message in self.messages):
            raise invalid("every message needs a `role`")
        return [{**message, "content": _text(message.get("content"))} for message in self.messages]

    @property
    def usable_tools(self) -> list[dict[str, Any]] | None:
        """The tools the model may call."""
        return self.tools if self.tools and self.tool_choice != "none" else None


class CompletionRequest(OpenAiRequest):
    """`/v1/completions`: one text to go on with."""

    prompt: str
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None

    def sampling(self) -> Sampling:
        """The engine's view; without max_tokens 16 tokens, as at OpenAI."""
        refuse(
            suffix=(self.suffix, "the model only goes on at the end"),
            echo=(self.echo, "put the prompt before the answer yourself"),
        )
        limit = 16 if self.max_tokens is None else self.max_tokens
        return self._sampling(limit, self.logprobs is not None, self.logprobs or 0)


def _biases(given: dict[str, float]) -> dict[int, float]:
    try:
        return {int(token): value for token, value in given.items()}
    except ValueError as error:
        raise invalid("`logit_bias` takes token ids as its keys") from error


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    raise invalid("only text content is supported")
