"""What a caller may send, and how long it may take."""

from __future__ import annotations

from studio.gateway.errors import ApiError

KEEP_ALIVE_S = 75.0
"""How long a connection may stay without a request."""
READ_S = 30.0
"""How long a request may take to arrive, and a second more for every SLOWEST bytes of it."""
SLOWEST = 16 << 10
STALLED_S = 60.0
"""How long a caller may take nothing of an answer that waits for them."""
LINGER_S = 5.0
"""How long bytes are thrown away after an early answer, so that the caller can read it before the connection ends."""
MOST_HEAD = 64 << 10
MOST_HEADERS = 200
MOST_WAITING = 64
"""Pipelined requests that may wait on one connection; it is closed after those."""
UNREAD = 1 << 18
"""Bytes of a body that are taken before anybody has asked for it."""
MOST_FRAMING = 1 << 20
FRAMING = 8
"""A chunked body may have this much framing, and this much for each of its bytes: more is an attack, not a body."""


def head_too_large() -> ApiError:
    """431."""
    message = f"The request's headers are larger than {MOST_HEAD >> 10} kB. Send less; prompts belong into the body."
    return ApiError(431, message, code="headers_too_large")


def malformed() -> ApiError:
    """400."""
    message = "This is not a valid HTTP/1.1 request. Check the client, and any proxy between it and the gateway."
    return ApiError(400, message, code="malformed_request")


def too_slow() -> ApiError:
    """408."""
    message = "The request took too long to arrive and was given up. Nothing was asked; send it again."
    return ApiError(408, message, code="request_timeout")
