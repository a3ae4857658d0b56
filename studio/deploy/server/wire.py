"""The requests the server takes (TGI's and OpenAI's shapes) and what they ask of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from studio.deploy.server.errors import Malformed, invalid

MAX_STOPS = 4
UNLIMITED = 1 << 20
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class Sampling:
    """How to pick tokens and when to end. Greedy is `top_k=1`."""

    max_new_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = 1
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


class GenerateParameters(BaseModel):
    """TGI's GenerateParameters."""

    adapter_id: str | None = None
    best_of: int | None = None
    decoder_input_details: bool | None = None
    details: bool | None = None
    do_sample: bool | None = None
    frequency_penalty: float | None = None
    grammar: dict[str, Any] | None = None
    max_new_tokens: int | None = None
    repetition_penalty: float | None = None
    return_full_text: bool | None = None
    seed: int | None = None
    stop: list[str] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_n_tokens: int | None = None
    top_p: float | None = None
    truncate: int | None = None
    typical_p: float | None = None
    watermark: bool | None = None

    def sampling(self) -> Sampling:
        """The engine's view. Raises a validation error for what is out of range or not supported."""
        _refuse(
            grammar=self.grammar,
            best_of=self.best_of not in (None, 1),
            top_n_tokens=self.top_n_tokens,
            decoder_input_details=self.decoder_input_details,
            watermark=self.watermark,
            typical_p=self.typical_p not in (None, 1.0),
            repetition_penalty=self.repetition_penalty not in (None, 1.0),
            frequency_penalty=self.frequency_penalty,
        )
        _positive(temperature=self.temperature, top_k=self.top_k, max_new_tokens=self.max_new_tokens)
        if self.top_p is not None and not 0 < self.top_p < 1:
            raise invalid("`top_p` must be > 0.0 and < 1.0")
        stop = _stops(self.stop or [])
        if not self.do_sample and self.temperature is self.top_k is self.top_p is None:
            return Sampling(self.max_new_tokens, stop=stop)
        return Sampling(self.max_new_tokens, self.temperature or 1.0, self.top_k or UNLIMITED, self.top_p or 1.0, stop)


class GenerateRequest(BaseModel):
    """`/generate`, `/generate_stream`, and `/` (which adds `stream`)."""

    inputs: str
    parameters: GenerateParameters = Field(default_factory=GenerateParameters)
    stream: bool = False


class StreamOptions(BaseModel):
    """OpenAI's stream_options."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """`/v1/chat/completions`."""

    messages: list[dict[str, Any]]
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None

    def sampling(self) -> Sampling:
        """The engine's view: sampled unless the temperature is 0, which is greedy."""
        _refuse(
            logprobs=self.logprobs or self.top_logprobs,
            n=self.n not in (None, 1),
            logit_bias=self.logit_bias,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            tool_choice=self.tool_choice not in (None, "auto", "none"),
        )
        if self.temperature is not None and self.temperature < 0:
            raise invalid("`temperature` must not be negative")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise invalid("`top_p` must be > 0.0 and <= 1.0")
        limit = self.max_completion_tokens if self.max_tokens is None else self.max_tokens
        _positive(max_tokens=limit)
        stop = _stops([self.stop] if isinstance(self.stop, str) else self.stop or [])
        if self.temperature == 0:
            return Sampling(limit, stop=stop)
        return Sampling(limit, self.temperature or 1.0, UNLIMITED, self.top_p or 1.0, stop)

    def conversation(self) -> list[dict[str, Any]]:
        """The messages as chat templates expect them: content as one string."""
        return [{**message, "content": _text(message.get("content"))} for message in self.messages]

    @property
    def usable_tools(self) -> list[dict[str, Any]] | None:
        """The tools the model may call."""
        return self.tools if self.tools and self.tool_choice != "none" else None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage


class TokenizeRequest(BaseModel):
    """`/tokenize`."""

    inputs: str
    add_special_tokens: bool = True


def parse(kind: type[Body], body: Any) -> Body:
    """The body as a request of this kind. Raises Malformed with the first thing that is wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"missing field `{place}`" if first["type"] == "missing" else f"{place}: {first['msg']}"
        raise Malformed(what) from error


def _refuse(**given: Any) -> None:
    for name, value in given.items():
        if value:
            raise invalid(f"{name} is not supported")


def _positive(**given: float | None) -> None:
    for name, value in given.items():
        if value is not None and value <= 0:
            raise invalid(f"`{name}` must be strictly positive")


def _stops(stops: list[str]) -> tuple[str, ...]:
    if len(stops) > MAX_STOPS:
        raise invalid(f"`stop` supports up to {MAX_STOPS} stop sequences. Given: {len(stops)}")
    return tuple(stop for stop in stops if stop)


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(part.get("type") == "text" for part in content):
        return "".join(str(part["text"]) for part in content)
    raise invalid("only text content is supported")
