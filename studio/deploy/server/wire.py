"""The requests the server takes in TGI's own shape, and what every request body has in common."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.deploy.server.errors import Malformed, invalid
from studio.deploy.server.sampling import Sampling

Body = TypeVar("Body", bound="WireBody")
SHOWN = 60
SHORTEN = 200


class WireBody(BaseModel):
    """A part of a request. Numbers are numbers and texts are texts, as in TGI; fields nobody knows are refused."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    def refuse_unknown(self, harmless: frozenset[str] = frozenset()) -> None:
        """A field this server does not know might change the answer: say so instead of ignoring it."""
        unknown = sorted(name for name, value in (self.model_extra or {}).items() if value is not None)
        for name in unknown:
            if name not in harmless:
                raise invalid(f"`{name[:SHOWN]}` is not a parameter this server knows; leave it out")


class GenerateParameters(WireBody):
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
        """The engine's view: greedy unless sampling or one of its settings is asked for. Raises a validation error."""
        self.refuse_unknown()
        refuse(
            grammar=(self.grammar, "tokens cannot be constrained here; deploy to TGI or vLLM for that"),
            best_of=(self.best_of not in (None, 1), "ask several times instead"),
            decoder_input_details=(self.decoder_input_details, "likelihoods of the prompt are not kept"),
            watermark=(self.watermark, "deploy to TGI for that"),
        )
        positive(temperature=self.temperature, top_k=self.top_k, max_new_tokens=self.max_new_tokens)
        between_0_and_1(top_p=self.top_p, typical_p=self.typical_p)
        given = (self.temperature, self.top_k, self.top_p, self.typical_p)
        drawn = bool(self.do_sample) or any(value is not None for value in given)
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=(self.temperature or 1.0) if drawn else 0.0,
            top_k=self.top_k or 0,
            top_p=self.top_p or 1.0,
            typical_p=self.typical_p or 1.0,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            frequency_penalty=self.frequency_penalty or 0.0,
            seed=self.seed,
            logprobs=True,
            top=self.top_n_tokens or 0,
            stop=stops(self.stop),
        )


class GenerateRequest(WireBody):
    """`/generate`, `/generate_stream`, and `/` (which adds `stream`)."""

    inputs: str
    parameters: GenerateParameters = Field(default_factory=GenerateParameters)
    stream: bool = False


class TokenizeRequest(WireBody):
    """`/tokenize`."""

    inputs: str
    add_special_tokens: bool = True


def parse(kind: type[Body], body: Any) -> Body:
    """The body as a request of this kind. Raises Malformed with the first thing that is wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:SHORTEN]
        what = f"missing field `{place}`" if first["type"] == "missing" else f"{place}: {first['msg']}"
        raise Malformed(what[: 2 * SHORTEN]) from error


def refuse(**given: tuple[Any, str]) -> None:
    """Parameters that cannot be honoured here, if given: an error with what to do instead."""
    for name, (value, instead) in given.items():
        if value:
            raise invalid(f"`{name}` is not supported by the embedded server: {instead}")


def positive(**given: float | None) -> None:
    """Each must be above 0 if it is given."""
    for name, value in given.items():
        if value is not None and value <= 0:
            raise invalid(f"`{name}` must be strictly positive")


def between_0_and_1(**given: float | None) -> None:
    """TGI's bounds for shares: both ends excluded."""
    for name, value in given.items():
        if value is not None and not 0 < value < 1:
            raise invalid(f"`{name}` must be > 0.0 and < 1.0")


def stops(given: list[str] | str | None) -> tuple[str, ...]:
    """Stop strings, the empty ones left out."""
    found = [given] if isinstance(given, str) else given or []
    return tuple(stop for stop in found if stop)
