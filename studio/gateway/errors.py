"""ApiError: what went wrong, in the form OpenAI's clients understand, with what to do about it."""

from __future__ import annotations

import orjson

Headers = list[tuple[bytes, bytes]]


class ApiError(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.headers: Headers = []

    def body(self) -> bytes:
        """The answer's body."""
        return error_body(self.message, self.kind, self.code)


class ClientLeft(Exception):
    """The caller closed the connection before the answer was whole."""


def error_body(message: str, kind: str, code: str | None = None) -> bytes:
    """An OpenAI-style error body."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def wrong_key() -> ApiError:
    """401."""
    return ApiError(
        401,
        "This API key is not valid here. Make one on the Capture page (Connect) and send it as "
        "'Authorization: Bearer wk-…'; a revoked key never comes back.",
        code="invalid_api_key",
    )


def nothing_answers(name: str) -> ApiError:
    """503: the alias is there, but every model behind it is gone or has no address."""
    message = f"No model answers for {name[:200]!r} now: it has no address. Move its traffic to another on Deploy."
    return ApiError(503, message, "server_error", "no_model")


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
