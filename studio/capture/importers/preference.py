"""Preference rows: a prompt, a better and a worse answer. The worse one was given; the better one corrects it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import dict_of, first, list_of, text_of
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.importers.sharegpt import turn

TURNS = re.compile(r"\n*\b(Human|Assistant): ?")


class Preference:
    """OpenAI's and Together's `preferred_output`, and `chosen` beside `rejected` as texts, messages or transcripts."""

    label = "Preference pairs"
    example = '{"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Two answers, one better."""
        return "preferred_output" in row or ("chosen" in row and "rejected" in row)

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The call, and its correction."""
        if "preferred_output" in row:
            request = _input(row)
            return chat.corrected(
                row, request, row["preferred_output"], row.get("non_preferred_output"), "preferred_output"
            )
        if isinstance(row["chosen"], str) and _is_transcript(row["chosen"]):
            row = {**row, "chosen": _transcript(row["chosen"]), "rejected": _transcript(text_of(row["rejected"]))}
        return chat.corrected(row, _asked(row), _turn(row["chosen"]), _turn(row["rejected"]), "chosen")


def _input(row: dict[str, Any]) -> dict[str, Any]:
    asked = dict_of(row.get("input"))
    return chat.asked({**row, **asked}, chat.checked(asked.get("messages"), "input"))


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    """What both answers answer: a prompt, messages, or all but the last of the chosen messages."""
    found = first(row, "prompt", "messages", "conversations", "question", "instruction", "input")
    messages = [turn(item) for item in list_of(found)] if list_of(found) else None
    if messages is None and isinstance(found, str):
        messages = [chat.said("user", found)]
    if messages is None:
        messages = list_of(row["chosen"])[:-1]
    if not messages:
        raise Refused("There is no prompt: `prompt`, or messages before the last of `chosen`.", "prompt")
    if isinstance(row.get("system"), str) and row["system"].strip():
        messages = [chat.said("system", row["system"]), *messages]
    return chat.asked({name: row[name] for name in row if name not in ("input",)}, chat.checked(messages, "prompt"))


def _turn(value: Any) -> Any:
    found = list_of(value)[-1:] or [value]
    return turn(found[0]) if isinstance(found[0], dict) else found[0]


def _is_transcript(text: str) -> bool:
    return text.lstrip().startswith("Human:") and "Assistant:" in text


def _transcript(text: str) -> list[dict[str, Any]]:
    """`Human: … Assistant: …` as messages."""
    parts = TURNS.split(text)[1:]
    roles = {"Human": "user", "Assistant": "assistant"}
    return [chat.said(roles[who], said.strip()) for who, said in zip(parts[::2], parts[1::2], strict=True)]
