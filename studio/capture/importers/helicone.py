"""Helicone: requests as its export writes them, with rating, properties and scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import (
    amount,
    count,
    dict_of,
    first,
    id_of,
    known,
    moment,
    number,
    rating,
    text_of,
)
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.tags import clean_tags
from studio.capture.wire.answer import error_text

BEHIND_A_LINK = (
    "The prompt and the answer are not in this row: they lie behind a link (signed_body_url) that is not fetched."
    " Export again with the bodies: npx @helicone/export --include-body --format jsonl."
)
NO_BODY = "There is no request_body. Export again with the bodies: npx @helicone/export --include-body."


class Helicone:
    """Rows of `npx @helicone/export`."""

    label = "Helicone"
    example = '{"request_id": "...", "request_body": {...}, "response_body": {...}, "properties": {}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Its ids and bodies."""
        return "request_id" in row and any(name in row for name in ("request_body", "signed_body_url", "delay_ms"))

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call with its rating and scores."""
        request = dict_of(row.get("request_body"))
        if not request.get("messages"):
            if first(row, "signed_body_url") is not None:
                raise Refused(BEHIND_A_LINK, "signed_body_url")
            raise Refused(NO_BODY, "request_body")
        response, meta = dict_of(row.get("response_body")), _facts(row)
        if response.get("type") == "message":
            meta["endpoint"] = "messages"
        elif _failed(meta, response):
            meta = {"status": "error", "error": error_text(response) or "The call failed.", **meta}
        else:
            request = chat.asked(request, chat.checked(request["messages"], "request_body"))
            response = chat.completion(response, "response_body")
        return [Call(request, response, meta, _feedback(row))]


def _failed(meta: dict[str, Any], response: dict[str, Any]) -> bool:
    return bool(meta.get("http_status", 200) >= 400 or (response.get("error") and not response.get("choices")))


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    status = count(row.get("response_status"), "response_status")
    session = dict_of(row.get("properties")).get("Helicone-Session-Id")
    return known(
        {
            "at": moment(row.get("request_created_at"), "request_created_at"),
            "external_id": id_of(row["request_id"]),
            "model": text_of(first(row, "request_model", "model_override", "model")),
            "latency_ms": amount(row.get("delay_ms"), "delay_ms"),
            "first_token_ms": amount(row.get("time_to_first_token"), "time_to_first_token"),
            "prompt_tokens": count(row.get("prompt_tokens"), "prompt_tokens"),
            "completion_tokens": count(row.get("completion_tokens"), "completion_tokens"),
            "cost_usd": amount(first(row, "costUSD", "cost_usd", "cost"), "cost"),
            "user_id": id_of(first(row, "request_user_id", "user_id")),
            "session_id": id_of(session),
            "http_status": status if status and 100 <= status < 600 else None,
            "tags": clean_tags(dict_of(first(row, "properties", "request_properties"))),
        }
    )


def _feedback(row: dict[str, Any]) -> list[Said]:
    at = moment(row.get("feedback_created_at"), "feedback_created_at")
    thumbs = rating(row.get("feedback_rating"), "feedback_rating")
    given = [Said("thumbs", thumbs, at=at)] if thumbs is not None else []
    for name, value in dict_of(row.get("scores")).items():
        value = value.get("value") if isinstance(value, dict) else value
        figure = float(value) if isinstance(value, bool) else number(value, f"scores.{name}")
        if figure is not None:
            given.append(Said("metric", figure, name=name.removeprefix("helicone-score-")[:120]))
    return given
