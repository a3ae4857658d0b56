"""Errors as TGI words them: `{"error", "error_type"}`, so that its clients raise what they raise there."""

from __future__ import annotations

from starlette.responses import JSONResponse, PlainTextResponse, Response


class WireError(Exception):
    """A refusal or failure of one request, with the status its caller sees."""

    def __init__(self, status: int, message: str, error_type: str) -> None:
        self.status = status
        self.message = message
        self.error_type = error_type
        super().__init__(message)

    @property
    def body(self) -> dict[str, str]:
        """TGI's error object."""
        return {"error": self.message, "error_type": self.error_type}

    def response(self) -> Response:
        """The error as a reply of its own."""
        return JSONResponse(self.body, self.status)


class Malformed(Exception):
    """A body that is no request; TGI answers those in plain text."""

    def __init__(self, reason: str, status: int = 422) -> None:
        self.status = status
        self.text = f"Failed to deserialize the JSON body into the target type: {reason}" if status == 422 else reason
        super().__init__(reason)

    def response(self) -> Response:
        """The reason."""
        return PlainTextResponse(self.text, self.status)


def invalid(reason: str) -> WireError:
    """422: a parameter is out of range or not supported here."""
    return WireError(422, f"Input validation error: {reason}", "validation")


def template_error(reason: str) -> WireError:
    """422: the chat template is missing or refuses the conversation."""
    return WireError(422, f"Template error: {reason}", "template_error")


def unknown_model(asked: str, served: str) -> WireError:
    """404: never answer for another model's name with these weights."""
    return WireError(
        404, f"The model `{asked}` does not exist here; this server answers `{served}`.", "model_not_found"
    )


def overloaded() -> WireError:
    """429: too many requests at once."""
    return WireError(429, "Model is overloaded", "overloaded")


def incomplete() -> WireError:
    """500: something broke on our side."""
    return WireError(500, "Incomplete generation", "incomplete_generation")


def draining() -> WireError:
    """503: the server is finishing what it has and takes no more; a gateway asks the next one."""
    return WireError(503, "The server is shutting down", "healthcheck")


def failed(reason: str) -> WireError:
    """424: the engine gave up on the request."""
    return WireError(424, f"Request failed during generation: {reason}", "generation")
