"""Chat calls out of rows: messages checked, an answer made a chat completion."""

from __future__ import annotations

from typing import Any

from studio.capture.importers.fields import dict_of, first, id_of, json_of, known, list_of, moment, text_of
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.tags import clean_tags

REQUEST_FIELDS = (
    *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    *("temperature", "top_p", "n", "max_tokens", "max_completion_tokens", "response_format", "seed", "stop"),
    *("frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "reasoning_effort", "user"),
)
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
NO_MESSAGES = "There is no prompt: `messages` must hold at least one message before the answer."


def said(role: str, content: Any) -> dict[str, Any]:
    """One message."""
    return {"role": role, "content": content}


def checked(messages: Any, field: str = "messages") -> list[dict[str, Any]]:
    """The messages before an answer. Raises Refused."""
    found = json_of(messages)
    if not isinstance(found, list) or not found:
        raise Refused(NO_MESSAGES, field)
    for place, message in enumerate(found, 1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Refused(f"Message {place} has no known `role` (system, user, assistant, tool). Name it.", field)
    return found


def split_last(messages: Any, field: str = "messages") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Messages and the assistant's answer they end with. Raises Refused."""
    found = json_of(messages)
    last = found[-1] if isinstance(found, list) and found else None
    if not isinstance(last, dict) or last.get("role") not in ("assistant", "model"):
        raise Refused("The last message must be the assistant's answer. Add it, or leave the row out.", field)
    return checked(found[:-1], field), {**last, "role": "assistant"}


def asked(row: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The request's body: the messages, and what else of a request lies beside them."""
    beside = {name: json_of(row[name]) for name in REQUEST_FIELDS if first(row, name) is not None}
    return {**beside, "messages": messages}


def answered(message: dict[str, Any], usage: Any = None, **more: Any) -> dict[str, Any]:
    """A chat completion with this message."""
    message = {name: value for name, value in message.items() if name != "weight"}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**known(more), "choices": [choice], "usage": dict_of(usage)}


def completion(found: Any, field: str = "response") -> dict[str, Any]:
    """A chat completion, also one in the `body` of a batch's response, or a bare message. Raises Refused."""
    response = dict_of(found)
    response = dict_of(response["body"]) if isinstance(response.get("body"), dict) else response
    if response.get("choices") or response.get("error"):
        return response
    if response.get("role") == "assistant":
        return answered(response)
    if isinstance(found, str) and found.strip() and not response:
        return answered(said("assistant", found))
    raise Refused(f"The `{field}` has no `choices`: it must be a chat completion.", field)


def facts(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The usual facts of a row under their usual names; `more` goes before them."""
    found = {
        "at": moment(first(row, "created_at", "created", "timestamp"), "created_at"),
        "external_id": id_of(first(row, "id", "custom_id")),
        "tags": clean_tags(dict_of(row.get("metadata")) | dict_of(row.get("tags"))),
    }
    return {**found, **known(more)}


def content_of(value: Any) -> str:
    """What an answer says, from a text, a message or a list that ends with one."""
    found = json_of(value)
    if isinstance(found, list):
        found = found[-1] if found else ""
    if isinstance(found, dict):
        found = first(found, "content", "value", "text")
    return (
        "\n".join(text_of(dict_of(part).get("text")) for part in found) if isinstance(found, list) else text_of(found)
    )


def message_of(value: Any, field: str) -> dict[str, Any]:
    """An answer as a message, from a text, a message or a list that ends with one. Raises Refused."""
    found = json_of(value)
    found = found[-1] if isinstance(found, list) and found else found
    if isinstance(found, dict) and (found.get("content") or found.get("tool_calls")):
        return {**found, "role": "assistant"}
    text = content_of(found)
    if not text.strip():
        raise Refused("There is no answer. Fill it in, or leave the row out.", field)
    return said("assistant", text)


def corrected(row: dict[str, Any], request: dict[str, Any], better: Any, worse: Any, field: str) -> list[Call]:
    """A pair of answers: the worse one was given, the better one corrects it.

    A correction is text. Where the better answer calls tools, both become calls, one rated up and one down.
    """
    chosen, rejected = message_of(better, field), message_of(worse, field)
    meta = facts(row)
    if not chosen.get("tool_calls") and (text := content_of(chosen)):
        return [Call(request, answered(rejected), meta, [Said("correction", text=text)])]
    other = {**meta, "external_id": meta["external_id"] and f"{meta['external_id'][:190]}-rejected"}
    return [
        Call(request, answered(chosen), meta, [Said("thumbs", 1)]),
        Call(request, answered(rejected), other, [Said("thumbs", 0)]),
    ]


def texts(value: Any) -> list[str]:
    """The texts of a list."""
    return [item for item in list_of(value) if isinstance(item, str)]
