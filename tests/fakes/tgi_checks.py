"""What TGI 3.3.7 checks before it generates, in its router's words: deserialising in plain text, validation as JSON."""

from __future__ import annotations

import json
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator

MAX_TOTAL = 512
MAX_INPUT = 511
MAX_STOPS = 4
MAX_TOP_N = 5
MAX_BEST_OF = 2
PAYLOAD_LIMIT = 2_000_000
TEXT, WHOLE, NUMBER, BOOL, LIST, OBJECT = "a string", "u32", "f32", "a boolean", "a sequence", "a map"
PARAMETERS = {
    "adapter_id": TEXT,
    "best_of": WHOLE,
    "decoder_input_details": BOOL,
    "details": BOOL,
    "do_sample": BOOL,
    "frequency_penalty": NUMBER,
    "max_new_tokens": WHOLE,
    "repetition_penalty": NUMBER,
    "return_full_text": BOOL,
    "seed": WHOLE,
    "stop": LIST,
    "temperature": NUMBER,
    "top_k": WHOLE,
    "top_n_tokens": WHOLE,
    "top_p": NUMBER,
    "truncate": WHOLE,
    "typical_p": NUMBER,
    "watermark": BOOL,
}
CHAT = {
    "messages": LIST,
    "model": TEXT,
    "max_tokens": WHOLE,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "frequency_penalty": NUMBER,
    "presence_penalty": NUMBER,
    "seed": WHOLE,
    "stop": LIST,
    "stream": BOOL,
    "logprobs": BOOL,
    "top_logprobs": WHOLE,
    "tools": LIST,
}
KINDS: dict[str, tuple[type, ...]] = {
    TEXT: (str,),
    WHOLE: (int,),
    NUMBER: (int, float),
    BOOL: (bool,),
    LIST: (list,),
    OBJECT: (dict,),
}


class Plain(Exception):
    """A reply of axum's own: plain text, or nothing."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)


class Refusal(Exception):
    """A reply of TGI's: an error and its type."""

    def __init__(self, status: int, error: str, error_type: str) -> None:
        self.status, self.error, self.error_type = status, error, error_type
        super().__init__(error)

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_type": self.error_type}


FAULTS = {
    "generation": Refusal(424, "Request failed during generation: planted", "generation"),
    "overloaded": Refusal(429, "Model is overloaded", "overloaded"),
    "incomplete": Refusal(500, "Incomplete generation", "incomplete_generation"),
    "template": Refusal(422, "Template error: planted", "template_error"),
}


def parsed(content_type: str, data: bytes) -> Any:
    """The body as JSON, or axum's refusal."""
    if not content_type.startswith("application/json"):
        raise Plain(415, "Expected request with `Content-Type: application/json`")
    if len(data) > PAYLOAD_LIMIT:
        raise Plain(413, "Failed to buffer the request body: length limit exceeded")
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Plain(400, f"Failed to parse the request body as JSON: {error}") from error


def check_shape(body: Any, fields: dict[str, str], required: str, at: str = "") -> None:
    """serde's types; unknown fields are let through, as TGI does."""
    if not isinstance(body, dict):
        raise _undeserialisable(f"{at}invalid type, expected a map")
    if required and required not in body:
        raise _undeserialisable(f"missing field `{required}`")
    for name, value in body.items():
        kind = fields.get(name)
        wrong = kind is not None and value is not None and not isinstance(value, KINDS[kind])
        if wrong or (kind in (WHOLE, NUMBER) and isinstance(value, bool)):
            raise _undeserialisable(f"{at}{name}: invalid type: {type(value).__name__}, expected {kind}")
        if kind == WHOLE and value is not None and value < 0:
            raise _undeserialisable(f"{at}{name}: invalid value: integer `{value}`, expected u32")


def check_grammar(grammar: Any) -> None:
    """TGI's own spelling of a grammar: type and value. OpenAI's `json_schema` has no `value` and is refused."""
    if grammar is None:
        return
    if not isinstance(grammar, dict) or grammar.get("type") not in ("json", "json_object", "json_schema", "regex"):
        raise _undeserialisable("response_format: unknown variant")
    if "value" not in grammar:
        raise _undeserialisable("response_format: missing field `value`")
    if grammar["type"] == "regex":
        return
    schema = schema_of(grammar)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise invalid(f"grammar is not valid: {error.message}") from error
    if "properties" not in schema:
        raise invalid("grammar is not valid: Grammar must have a 'properties' field")


def schema_of(grammar: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a grammar that is not a regular expression."""
    value: dict[str, Any] = grammar["value"]
    return value["schema"] if grammar["type"] == "json_schema" else value


def check_parameters(asked: dict[str, Any], prompt_tokens: int) -> None:
    """validation.rs, in its order."""
    best_of = asked.get("best_of") or 1
    if best_of > MAX_BEST_OF:
        raise invalid(f"`best_of` must be > 0 and <= {MAX_BEST_OF}. Given: {best_of}")
    sampled = asked.get("do_sample") or any(
        asked.get(name) is not None for name in ("temperature", "top_k", "top_p", "typical_p")
    )
    if best_of > 1 and not sampled:
        raise invalid("you must use sampling when `best_of` is > 1")
    for name in ("temperature", "repetition_penalty"):
        if asked.get(name) is not None and asked[name] <= 0:
            raise invalid(f"`{name}` must be strictly positive")
    if not -2 <= (asked.get("frequency_penalty") or 0) <= 2:
        raise invalid("`frequency_penalty` must be >= -2.0 and <= 2.0")
    for name in ("top_p", "typical_p"):
        if asked.get(name) is not None and not 0 < asked[name] < 1:
            raise invalid(f"`{name}` must be > 0.0 and < 1.0")
    for name in ("top_k", "max_new_tokens"):
        if asked.get(name) == 0:
            raise invalid(f"`{name}` must be strictly positive")
    _check_counts(asked, prompt_tokens)


def _check_counts(asked: dict[str, Any], prompt_tokens: int) -> None:
    stops = asked.get("stop") or []
    if len(stops) > MAX_STOPS:
        raise invalid(f"`stop` supports up to {MAX_STOPS} stop sequences. Given: {len(stops)}")
    if (asked.get("top_n_tokens") or 0) > MAX_TOP_N:
        raise invalid(f"`top_n_tokens` must be >= 0 and <= {MAX_TOP_N}. Given: {asked['top_n_tokens']}")
    if not prompt_tokens:
        raise invalid("`inputs` cannot be empty")
    new = asked.get("max_new_tokens")
    if new is not None and prompt_tokens + new > MAX_TOTAL:
        given = f"Given: {prompt_tokens} `inputs` tokens and {new} `max_new_tokens`"
        raise invalid(f"`inputs` tokens + `max_new_tokens` must be <= {MAX_TOTAL}. {given}")
    if prompt_tokens > MAX_INPUT:
        raise invalid(f"`inputs` must have less than {MAX_INPUT} tokens. Given: {prompt_tokens}")


def invalid(reason: str) -> Refusal:
    """TGI's validation error."""
    return Refusal(422, f"Input validation error: {reason}", "validation")


def _undeserialisable(reason: str) -> Plain:
    return Plain(422, f"Failed to deserialize the JSON body into the target type: {reason} at line 1 column 1")


def _no_constant(name: str) -> float:
    raise ValueError(f"expected value: {name}")
