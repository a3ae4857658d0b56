"""Answers as bytes."""

from __future__ import annotations

from http import HTTPStatus

from studio.gateway.errors import ApiError, Headers

CLOSE: tuple[bytes, bytes] = (b"connection", b"close")
STAY: tuple[bytes, bytes] = (b"connection", b"keep-alive")
CHUNKED: tuple[bytes, bytes] = (b"transfer-encoding", b"chunked")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
BODILESS = frozenset({204, 304})
_FIRST_LINES = {found.value: f"HTTP/1.1 {found.value} {found.phrase}\r\n".encode() for found in HTTPStatus}


def head(status: int, headers: Headers) -> bytes:
    """Status line and headers."""
    parts = [_FIRST_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def whole_error(error: ApiError) -> bytes:
    """A whole answer that ends the connection."""
    body = error.body()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), CLOSE]
    return head(error.status, headers) + body
