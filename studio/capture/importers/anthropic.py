"""Anthropic's rows: Messages requests with their answers, outputs of message batches, Bedrock's training rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import dict_of, list_of, text_of
from studio.capture.importers.port import Call, Refused, Said

ALONE = (
    "This is the output of a message batch without its requests. Put both files into one zip archive and import"
    " that: they are joined by `custom_id`."
)


class AnthropicMessages:
    """Calls of the Messages API; they are kept as calls of that endpoint."""

    label = "Anthropic messages"
    example = '{"request": {"system": "...", "messages": [...]}, "response": {"type": "message", "content": [...]}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """An answer of the Messages API, or a system text beside the messages."""
        if is_result(row) or _is_answer(row.get("response")):
            return True
        beside = isinstance(row.get("messages"), list) and isinstance(row.get("system"), str | list)
        return bool(beside) or text_of(row.get("schemaVersion")).startswith("bedrock-conversation")

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call."""
        if is_result(row):
            return [self._result(row)]
        if _is_answer(row.get("response")):
            return [_made(row, dict_of(row.get("request")), dict_of(row["response"]))]
        return [_trained(row)]

    def _result(self, row: dict[str, Any]) -> Call:
        result, request = dict_of(row["result"]), dict_of(row.get("request"))
        request = dict_of(request.get("params")) or request
        if not request:
            raise Refused(ALONE, "request")
        if result.get("type") != "succeeded":
            error = dict_of(dict_of(result.get("error")).get("error")) or dict_of(result.get("error"))
            said = text_of(error.get("message")) or text_of(result.get("type"))
            answer = {"type": "error", "error": {"type": "batch", "message": said}}
            return _made(row, request, answer, status="error", error=said)
        return _made(row, request, dict_of(result.get("message")))


def is_result(row: dict[str, Any]) -> bool:
    """Whether this is a row of a message batch's results."""
    return "custom_id" in row and isinstance(row.get("result"), dict) and "type" in row["result"]


def is_input(row: dict[str, Any]) -> bool:
    """Whether this is a row of a message batch's requests."""
    return "custom_id" in row and isinstance(row.get("params"), dict) and "result" not in row


def _is_answer(found: Any) -> bool:
    answer = dict_of(found)
    return answer.get("type") == "message" and isinstance(answer.get("content"), list)


def _made(row: dict[str, Any], request: dict[str, Any], answer: dict[str, Any], **more: Any) -> Call:
    if not list_of(request.get("messages")):
        raise Refused("There is no prompt: the request must hold `messages`.", "request")
    facts = {"endpoint": "messages", "model": text_of(request.get("model") or answer.get("model")), **more}
    own = chat.facts(row, **facts)
    own["external_id"] = own["external_id"] or answer.get("id")
    return Call(request, answer, own)


def _trained(row: dict[str, Any]) -> Call:
    """A training row: a system text beside the messages, which end with the answer."""
    messages, last = chat.split_last([_plain(item) for item in list_of(row.get("messages"))])
    system = _texts(row.get("system"))
    messages = [chat.said("system", system), *messages] if system else messages
    return Call(chat.asked({"model": row.get("model")}, messages), chat.answered(last), chat.facts(row))


def _plain(message: Any) -> Any:
    """A message whose content is text blocks alone, with its text."""
    blocks = message.get("content") if isinstance(message, dict) else None
    if isinstance(blocks, list) and all(
        isinstance(block, dict) and isinstance(block.get("text"), str) for block in blocks
    ):
        return {**message, "content": _texts(blocks)}
    return message


def _texts(found: Any) -> str:
    if isinstance(found, list):
        return "\n".join(text_of(dict_of(block).get("text")) for block in found)
    return text_of(found)
