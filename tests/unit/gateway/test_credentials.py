"""Where callers may put their key."""

from __future__ import annotations

import base64

import pytest

from studio.gateway.credentials import secret_of
from studio.gateway.errors import ApiError
from studio.gateway.http import Request


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    return Request({"method": "POST", "path": "/", "headers": pairs}, nothing, nothing)  # type: ignore[arg-type]


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wk-1"},
        {"authorization": "bearer  wk-1 "},
        {"x_api_key": "wk-1"},
        {"x_portkey_api_key": "wk-1"},
        {"helicone_auth": "Bearer wk-1"},
        {"helicone_auth": "wk-1"},
        {"authorization": basic("pk-lf-1:wk-1")},
        {"authorization": basic("wk-1:sk-lf-1")},
        {"authorization": "Bearer sk-the-providers", "helicone_auth": "Bearer wk-1"},
        {"authorization": "Bearer sk-the-providers", "x_portkey_api_key": "wk-1"},
        {"authorization": "Bearer wk-1", "x_api_key": "sk-the-providers"},
    ],
    ids=str,
)
def test_our_key_is_found_wherever_a_client_puts_it(headers: dict[str, str]) -> None:
    assert secret_of(request(**headers)) == "wk-1"


@pytest.mark.parametrize("shown", ["Basic !!!", "Basic ", "Bearer ", "Digest wk-1", ""])
def test_what_is_no_key_is_refused(shown: str) -> None:
    with pytest.raises(ApiError) as refused:
        secret_of(request(authorization=shown))
    assert refused.value.status == 401
