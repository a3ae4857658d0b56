"""ApiError: what went wrong, in the form that the caller's client understands, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

Headers = list[tuple[bytes, bytes]]

ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The types by which Anthropic's clients know errors; the rest are `api_error` from 500 on."""


@dataclass(frozen=True)
class ErrorForm:
    """How an endpoint's clients expect errors: as a whole answer, and as the last event of a stream."""

    body: Callable[[int, str, str, str | None], bytes]
    """Of status, message, kind and code."""
    event: Callable[[str, str, str | None], bytes]
    """Of message, kind and code."""


def error_body(message: str, kind: str, code: str | None = None) -> bytes:
    """An OpenAI-style error body."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _openai_body(_status: int, message: str, kind: str, code: str | None) -> bytes:
    return error_body(message, kind, code)


def _openai_event(message: str, kind: str, code: str | None) -> bytes:
    return b"data: " + error_body(message, kind, code) + b"\n\n"


def _responses_event(message: str, kind: str, code: str | None) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    said = {"type": "error", "code": code, "message": message, "param": None, "error": error}
    return b"event: error\ndata: " + orjson.dumps(said) + b"\n\n"


def _anthropic_body(status: int, message: str, _kind: str, _code: str | None) -> bytes:
    kind = ANTHROPIC_KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})


def _anthropic_event(message: str, _kind: str, _code: str | None) -> bytes:
    return b"event: error\ndata: " + _anthropic_body(500, message, "", None) + b"\n\n"


OPENAI = ErrorForm(_openai_body, _openai_event)
RESPONSES = ErrorForm(_openai_body, _responses_event)
ANTHROPIC = ErrorForm(_anthropic_body, _anthropic_event)


class ApiError(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.headers: Headers = []
        self.form = OPENAI

    def body(self) -> bytes:
        """The answer's body."""
        return self.form.body(self.status, self.message, self.kind, self.code)


class ClientLeft(Exception):
    """The caller closed the connection before the answer was whole."""


def wrong_key() -> ApiError:
    """401."""
    return ApiError(
        401,
        "This API key is not valid here. Make one on the Capture page (Connect) and send it as "
        "'Authorization: Bearer wk-…' (or as x-api-key); a revoked or expired key never comes back.",
        code="invalid_api_key",
    )


def not_allowed(scope: str) -> ApiError:
    """403: a key that may do other things."""
    message = f"This API key may not do this: it lacks the scope {scope!r}. Make one with it under Settings, API keys."
    return ApiError(403, message, "permission_error", "missing_scope")


def nothing_answers(name: str) -> ApiError:
    """503: the alias is there, but every model behind it is gone or has no address."""
    message = f"No model answers for {name[:200]!r} now: it has no address. Move its traffic to another on Deploy."
    return ApiError(503, message, "server_error", "no_model")


def speaks_otherwise(name: str, kind: str) -> ApiError:
    """400: the model is there, but its server does not know this endpoint."""
    mine, other = ("Anthropic's", "OpenAI's") if kind == "anthropic" else ("OpenAI's", "Anthropic's")
    where = "/v1/chat/completions" if kind == "anthropic" else "/v1/messages"
    message = f"No server behind {name[:200]!r} speaks {mine} format; they speak {other}. Call {where}."
    return ApiError(400, message, code="wrong_endpoint")


def adapter_chosen(field: str, alias: str) -> ApiError:
    """400: the weights behind an alias are not a caller's to choose."""
    message = (
        f"`{field}` is not possible with the alias {alias[:200]!r}: its release decides which weights answer. Leave the"
        " field out, or deploy the adapter under an alias of its own."
    )
    return ApiError(400, message, code="adapter_not_allowed")


def unknown_model(name: str, known: list[str]) -> ApiError:
    """404, with the names that would work."""
    names = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    hint = f"This key may use: {names}." if known else "Add a provider or a deployment to this project first."
    return ApiError(404, f"The model {name[:200]!r} does not exist in this project. {hint}", code="model_not_found")


def too_large(most: int) -> ApiError:
    """413."""
    return ApiError(
        413,
        f"The request is larger than {most >> 20} MB. Send less, or raise STUDIO_MAX_BODY_MB.",
        code="request_too_large",
    )


def not_possible(method: str, allowed: list[str]) -> ApiError:
    """405, with the methods that are."""
    names = ", ".join(sorted(set(allowed)))
    error = ApiError(405, f"{method} is not possible here. Use {names}.", code="method_not_allowed")
    error.headers.append((b"allow", names.encode()))
    return error
