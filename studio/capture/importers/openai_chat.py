"""OpenAI's chat formats: fine-tuning rows, logged calls, stored completions, outputs of batches, pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import amount, dict_of, first, list_of, moment, rating
from studio.capture.importers.port import Call, Refused, Said

FORMS = "Expected `messages` that end with the assistant's answer, or `request` and `response`."
ALONE = (
    "This is the output of a batch without its input. Put the batch's input file and its output file into one zip"
    " archive and import that: they are joined by `custom_id`."
)
PAIR = frozenset(
    ("prompt", "completion", "label", "id", "metadata", "tags", "model", "created", "created_at", "usage", "tools")
)


class OpenAIChat:
    """Rows of any of these forms, mixed as they come."""

    label = "OpenAI chat"
    example = '{"messages": [..., {"role": "assistant", ...}]}  or  {"request": {...}, "response": {...}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Messages, a request with its response, or prompt and completion."""
        if isinstance(row.get("messages"), list) or isinstance(row.get("request"), dict) or is_output(row):
            return True
        return isinstance(row.get("prompt"), str | list) and "completion" in row and set(row) <= PAIR

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call."""
        request, response = self._parts(row)
        chat.checked(request.get("messages"))
        more = {
            "at": _created(row, response),
            "model": str(request.get("model") or response.get("model") or ""),
            "external_id": response.get("id") if first(row, "id", "custom_id") is None else None,
            "latency_ms": amount(row.get("latency_ms"), "latency_ms"),
        }
        feedback = []
        if (thumbs := rating(row.get("label"), "label") if isinstance(row.get("label"), bool) else None) is not None:
            feedback.append(Said("thumbs", thumbs))
        return [Call(request, response, chat.facts(row, **more), feedback)]

    def _parts(self, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if is_output(row) and "request" not in row:
            raise Refused(ALONE, "request")
        if "request" in row:
            return _sent(row["request"]), chat.completion(row.get("response") or _error(row))
        if isinstance(row.get("messages"), list) and isinstance(row.get("choices"), list):
            names = ("id", "model", "choices", "usage", "created")
            return chat.asked(row, row["messages"]), {name: row.get(name) for name in names}
        if "completion" in row and "prompt" in row:
            return _pair(row)
        return self._conversation(row)

    def _conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if not list_of(row.get("messages")):
            raise Refused(f"The row has no `messages`. {FORMS}", "messages")
        messages, last = chat.split_last(row["messages"])
        return chat.asked(row, messages), chat.answered(last, row.get("usage"))


def is_output(row: dict[str, Any]) -> bool:
    """Whether this is a row of a batch's output."""
    response = row.get("response")
    wrapped = isinstance(response, dict) and "body" in response and "status_code" in response
    return "custom_id" in row and (wrapped or ("error" in row and "response" in row))


def is_input(row: dict[str, Any]) -> bool:
    """Whether this is a row of a batch's input."""
    return "custom_id" in row and isinstance(row.get("body"), dict) and "response" not in row


def _sent(found: Any) -> dict[str, Any]:
    request = dict_of(found)
    return dict_of(request["body"]) if isinstance(request.get("body"), dict) and "messages" not in request else request


def _error(row: dict[str, Any]) -> Any:
    return {"error": row["error"]} if row.get("error") else None


def _pair(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    prompt = list_of(row["prompt"]) or [chat.said("user", str(row["prompt"]))]
    answer = chat.message_of(row["completion"], "completion")
    return chat.asked(row, prompt), chat.answered(answer, row.get("usage"))


def _created(row: dict[str, Any], response: dict[str, Any]) -> float | None:
    own = first(row, "created_at", "created", "timestamp")
    return moment(own if own is not None else response.get("created"), "created_at")
