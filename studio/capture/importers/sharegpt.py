"""ShareGPT's and Alpaca's rows, as datasets for fine-tuning have them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import json_of, list_of, text_of
from studio.capture.importers.port import Call, Refused, Said

WHO = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "bing", "bard", "model", "bot"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response", "ipython"), "tool"),
    **dict.fromkeys(("system", "developer"), "system"),
}


class ShareGPT:
    """`conversations` of turns with `from` and `value`."""

    label = "ShareGPT"
    example = '{"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Turns under their usual name."""
        turns = list_of(row.get("conversations")) or list_of(row.get("conversation"))
        return bool(turns) and isinstance(turns[0], dict)

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """One call: the last answer, asked with all turns before it."""
        turns = [turn(item) for item in list_of(row.get("conversations")) or list_of(row.get("conversation"))]
        while turns and turns[-1].get("role") != "assistant":
            turns.pop()
        messages, last = chat.split_last(turns, "conversations")
        if text_of(row.get("system")).strip() and messages[0]["role"] != "system":
            messages = [chat.said("system", row["system"]), *messages]
        return [Call(chat.asked({**row, "tools": _tools(row)}, messages), chat.answered(last), chat.facts(row))]


class Alpaca:
    """`instruction`, `input` and `output`."""

    label = "Alpaca"
    example = '{"instruction": "...", "input": "...", "output": "..."}'

    def matches(self, row: dict[str, Any]) -> bool:
        """An instruction and an output."""
        return "instruction" in row and "output" in row

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """One call: instruction and input together are the prompt."""
        parts = [text_of(row.get("instruction")), text_of(row.get("input"))]
        prompt = "\n\n".join(part for part in parts if part.strip())
        if not prompt:
            raise Refused("There is no prompt: `instruction` is empty.", "instruction")
        if not text_of(row.get("output")).strip():
            raise Refused("There is no answer: `output` is empty.", "output")
        system = [chat.said("system", row["system"])] if text_of(row.get("system")).strip() else []
        before = [message for pair in list_of(row.get("history")) for message in _exchange(pair)]
        request = chat.asked({"model": row.get("model")}, [*system, *before, chat.said("user", prompt)])
        return [Call(request, chat.answered(chat.said("assistant", text_of(row["output"]))), chat.facts(row))]


def turn(item: Any) -> dict[str, Any]:
    """A turn of ShareGPT's or OpenAI's form as a message. Raises Refused."""
    if not isinstance(item, dict):
        raise Refused("A turn is no object with `from` and `value`.", "conversations")
    if "role" in item and "from" not in item:
        return item
    who = text_of(item.get("from")).lower()
    if who == "function_call":
        return _function_call(item.get("value"))
    if who not in WHO:
        raise Refused(f"A turn is from {who!r}, which is nobody known (human, gpt, system, tool).", "conversations")
    return chat.said(WHO[who], item.get("value"))


def _function_call(value: Any) -> dict[str, Any]:
    found = json_of(value)
    called = found if isinstance(found, dict) else {}
    arguments = called.get("arguments", {})
    function = {"name": text_of(called.get("name")), "arguments": _as_text(arguments)}
    return {**chat.said("assistant", None), "tool_calls": [{"id": "call_0", "type": "function", "function": function}]}


def _as_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _tools(row: dict[str, Any]) -> list[Any] | None:
    tools = [item if "function" in item else {"type": "function", "function": item} for item in _dicts(row)]
    return tools or None


def _dicts(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in list_of(row.get("tools")) if isinstance(item, dict)]


def _exchange(pair: Any) -> list[dict[str, Any]]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise Refused("`history` must hold pairs of a question and an answer.", "history")
    return [chat.said("user", text_of(pair[0])), chat.said("assistant", text_of(pair[1]))]
