"""No caller chooses a server: fields by which other proxies allow that are never read here, and never sent on.

The gateway itself takes addresses from its routing table alone, whatever a body or a header says. The fields are left
out so that a server behind it, which may be such a proxy, is not told either. Texts, tools and schemas are data, in
which these names are ordinary words, so they stay as they are.
"""

from __future__ import annotations

from typing import Any

CLIENT_ROUTING = frozenset(
    {"api_base", "base_url", "api_key", "api_type", "api_version", "custom_llm_provider", "headers", "extra_headers"}
    | {"extra_query", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"}
    | {"user_config", "model_list", "litellm_params", "litellm_credential_name", "litellm_metadata"}
    | {"custom_host", "customHost", "target_url", "proxy_server_request", "aws_role_name"}
    | {"aws_bedrock_runtime_endpoint", "aws_access_key_id", "aws_secret_access_key", "azure_ad_token"}
    | {"vertex_credentials", "vertex_project", "vertex_location"}
)
CONTAINERS = ("extra_body", "metadata", "parameters", "options", "config", "provider", "optional_params")
"""Fields that proxies mix into a request's own; looked into at any depth."""
DEEPEST = 16
_LOOKED_AT = CLIENT_ROUTING.union(CONTAINERS)


def without_routing(fields: dict[str, Any]) -> dict[str, Any]:
    """A copy of a request's fields without those that would choose a server or a key."""
    if _LOOKED_AT.isdisjoint(fields):
        return dict(fields)
    kept = {name: value for name, value in fields.items() if name not in CLIENT_ROUTING}
    for name in CONTAINERS:
        if name in kept:
            kept[name] = _cleaned(kept[name], DEEPEST)
    return kept


def _cleaned(value: Any, left: int) -> Any:
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name not in CLIENT_ROUTING}
        return {name: _cleaned(item, left - 1) for name, item in kept.items()} if left else {}
    if isinstance(value, list):
        return [_cleaned(item, left - 1) for item in value] if left else []
    return value
