"""What the Capture page calls things: facets, ranges and their values."""

from __future__ import annotations

from studio.capture.explorer.answers import FacetValue

FACETS = {
    "status": "Status",
    "model": "Model",
    "deployment": "Deployment",
    "revision": "Revision",
    "rating": "Feedback",
    "template": "Prompt template",
    "language": "Language",
    "has": "With",
    "served_model": "Answered by",
    "finish_reason": "Ended because",
    "endpoint": "Endpoint",
    "provider": "Provider",
    "api_key": "API key",
    "source": "Came by",
    "user": "User",
    "session": "Session",
}
RANGES = {
    "latency": ("Latency", "ms"),
    "first_token": ("First token", "ms"),
    "cost": ("Cost", "$"),
    "prompt_tokens": ("Prompt tokens", ""),
    "completion_tokens": ("Answer tokens", ""),
    "score": ("Score", ""),
}
FIRST = ("status", "model", "deployment", "revision", "rating")
"""Facets that come before the tags; the others come after them."""
ON_DEMAND = ("user", "session")
"""Facets of very many values: counted once somebody unfolds them."""
_VALUES = {
    ("rating", "up"): "Thumbs up",
    ("rating", "down"): "Thumbs down",
    ("rating", "none"): "Not rated",
    ("has", "feedback"): "Feedback",
    ("has", "correction"): "Correction",
    ("has", "tools"): "Tools offered",
    ("has", "tool_calls"): "Tool calls",
    ("has", "redactions"): "Redactions",
    ("has", "stream"): "Streaming",
    ("endpoint", "chat"): "Chat completions",
    ("endpoint", "completions"): "Completions",
    ("endpoint", "embeddings"): "Embeddings",
    ("endpoint", "responses"): "Responses",
    ("endpoint", "messages"): "Anthropic messages",
}
_EMPTY = {"language": "Unknown", "template": "None found", "user": "None named", "session": "None named"}


def label_of(facet: str, value: FacetValue) -> str:
    """How people read a value."""
    return _VALUES.get((facet, value.value)) or value.label or _EMPTY.get(facet) or value.value or "None"


def title_of(parameter: str) -> str:
    """How people read a parameter of the address."""
    title = FACETS.get(parameter) or (RANGES[parameter][0] if parameter in RANGES else "")
    return title or {"trace": "Trace", "uid": "Call", "q": "Text", "tag": "Tag"}.get(parameter, parameter)


def value_words(facet: str, value: str) -> str:
    """How people read a value whose label nobody counted."""
    return _VALUES.get((facet, value), value or _EMPTY.get(facet, "None"))
