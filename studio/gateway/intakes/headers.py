"""Headers of Helicone, Portkey and OpenPipe on a call: who asks, in which session and trace, and tags.

Those that choose a server (x-portkey-provider, -config, -custom-host, Helicone-Target-URL, …) are never read.
"""

from __future__ import annotations

from typing import Any

import orjson

from studio.capture.reports.fields import dict_of, scalars, text_of
from studio.gateway.errors import Headers
from studio.gateway.http import Request

BEGINNINGS = frozenset({b"heli", b"x-po", b"op-l", b"op-t"})
"""The first letters of every header that is read here; one look at each header is what a call without any pays."""
PROPERTY = "helicone-property-"
LONGEST = 200
UNRECORDED = "unrecorded"
TAGS = "tags"

Facts = dict[str, Any]


def vendor_facts(request: Request) -> Facts:
    """What such headers say: facts of the call, its tags, and whether the caller wants it recorded."""
    if not (found := _vendors(request)):
        return {}
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in found}
    facts = {**_helicone(given), **_portkey(given)}
    facts = {name: value[:LONGEST] for name, value in facts.items() if value}
    tags = {**_properties(given), **_metadata(given), **scalars(_json(given.get("op-tags")))}
    if tags:
        facts[TAGS] = {name: value for name, value in tags.items() if not name.startswith("$sdk")}
    if _is_unwanted(given):
        facts[UNRECORDED] = True
    return facts


def answered_back(request: Request, uid: str, trace_id: str | None) -> Headers:
    """The ids that such a client looks for, to give feedback by."""
    back: Headers = []
    if not (found := _vendors(request)):
        return back
    names = {name[:4] for name, _ in found}
    if b"x-po" in names:
        back.append((b"x-portkey-trace-id", (trace_id or uid).encode("latin-1", "replace")))
    if b"heli" in names:
        back.append((b"helicone-id", (request.header(b"helicone-request-id") or uid).encode("latin-1", "replace")))
    return back


def _vendors(request: Request) -> Headers:
    return [pair for pair in request.headers if pair[0][:4] in BEGINNINGS]


def _helicone(given: dict[str, str]) -> Facts:
    return {
        "external_id": given.get("helicone-request-id"),
        "user_id": given.get("helicone-user-id"),
        "session_id": given.get("helicone-session-id"),
    }


def _portkey(given: dict[str, str]) -> Facts:
    told = dict_of(_json(given.get("x-portkey-metadata")))
    named = {
        "trace_id": given.get("x-portkey-trace-id"),
        "span_id": given.get("x-portkey-span-id"),
        "parent_span_id": given.get("x-portkey-parent-span-id"),
        "user_id": text_of(told.get("_user")),
        "session_id": text_of(told.get("_session")),
    }
    return {name: value for name, value in named.items() if value}


def _properties(given: dict[str, str]) -> Facts:
    named = {
        "session_path": given.get("helicone-session-path"),
        "session_name": given.get("helicone-session-name"),
        "prompt_id": given.get("helicone-prompt-id"),
    }
    own = {name.removeprefix(PROPERTY): value for name, value in given.items() if name.startswith(PROPERTY)}
    return {name: value for name, value in {**named, **own}.items() if value}


def _metadata(given: dict[str, str]) -> Facts:
    told = scalars(_json(given.get("x-portkey-metadata")))
    return {name: value for name, value in told.items() if name not in ("_user", "_session")}


def _is_unwanted(given: dict[str, str]) -> bool:
    """Whether the caller says, in its system's way, that the call is not to be logged."""
    omitted = (given.get(f"helicone-omit-{part}", "").lower() == "true" for part in ("request", "response"))
    switched_off = (given.get(name, "").lower() == "false" for name in ("op-log-request", "x-portkey-debug"))
    return any(omitted) or any(switched_off)


def _json(header: str | None) -> Any:
    if not header:
        return None
    try:
        return orjson.loads(header.encode("latin-1"))
    except orjson.JSONDecodeError:
        return None
