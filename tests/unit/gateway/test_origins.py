"""No caller chooses the server: not by a field at any depth, and not by a header."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from studio.deploy.router import Route
from studio.gateway.body import Body
from studio.gateway.endpoints.catalog import ENDPOINTS
from studio.gateway.endpoints.endpoint import Endpoint
from studio.gateway.headers import to_upstream
from studio.gateway.http import Request
from studio.gateway.origins import CLIENT_ROUTING, CONTAINERS, without_routing

FEW = hypothesis_settings(max_examples=50)
"""Slow to make, so fewer than usual."""
EVIL = "http://169.254.169.254/latest/meta-data"
HEADERS = [
    "x-portkey-custom-host",
    "x-portkey-config",
    "x-portkey-provider",
    "helicone-target-url",
    "helicone-openai-api-base",
    "host",
    "helicone-target-provider",
    "x-api-base",
    "x-base-url",
    "x-forwarded-host",
    "x-original-url",
    "forwarded",
    "api-key",
    "cookie",
    "x-litellm-api-base",
    "openai-organization",
    "openai-project",
    "authorization",
    "x-api-key",
    "proxy-authorization",
    "x-vertex-ai-endpoint",
    "x-goog-api-key",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
]
ROUTES = {
    "openai": Route("http://up/v1", "up", "alias", api_key="sk-up"),
    "anthropic": Route("http://up/v1", "up", "alias", kind="anthropic", api_key="sk-up"),
}
ASKED = {"messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi", "input": "Hi"}


def request(*names: str) -> Request:
    async def nothing(*_: Any) -> Any: ...

    headers = [(name.encode(), EVIL.encode()) for name in names]
    return Request({"method": "POST", "path": "/", "headers": headers}, nothing, nothing)


def sent(endpoint: Endpoint, fields: dict[str, Any]) -> Any:
    raw = json.dumps({"model": "alias", **ASKED, **fields}).encode()
    return json.loads(Body.read(raw, request(), endpoint).for_route(ROUTES[endpoint.kind]))


Names = st.sampled_from(sorted(CLIENT_ROUTING)) | st.sampled_from([*CONTAINERS, "a", "b"])
Nested = st.recursive(
    st.just(EVIL) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(Names, inner, max_size=4),
    max_leaves=15,
)


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names_in(inner)}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


@FEW
@given(st.sampled_from(ENDPOINTS), st.dictionaries(Names, Nested, max_size=5))
def test_no_field_at_any_depth_of_what_proxies_read_is_sent_on(endpoint: Endpoint, fields: dict[str, Any]) -> None:
    found = sent(endpoint, fields)
    read = {name: value for name, value in found.items() if name in CONTAINERS}
    assert not CLIENT_ROUTING & set(found) and not CLIENT_ROUTING & names_in(read)
    assert all(found[name] == value for name, value in ASKED.items())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_texts_tools_and_schemas_are_data_and_stay(endpoint: Endpoint) -> None:
    schema = {"type": "object", "properties": {"base_url": {"type": "string"}, "api_key": {"type": "string"}}}
    fields = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": EVIL}}]}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    found = sent(endpoint, fields)
    assert {name: found[name] for name in fields} == fields


def test_what_is_nested_too_deep_to_look_into_is_left_out() -> None:
    deep: Any = {"api_base": EVIL}
    for _ in range(200):
        deep = {"a": deep}
    assert EVIL not in json.dumps(without_routing({"extra_body": deep}))


@pytest.mark.parametrize("kind", list(ROUTES))
def test_no_header_of_the_caller_chooses_server_or_key(kind: str) -> None:
    headers = to_upstream(request(*HEADERS), ROUTES[kind], stream=False)
    assert EVIL.encode() not in [value for _, value in headers]
    keys = {name: value for name, value in headers if name in (b"authorization", b"x-api-key")}
    assert keys == ({b"x-api-key": b"sk-up"} if kind == "anthropic" else {b"authorization": b"Bearer sk-up"})
