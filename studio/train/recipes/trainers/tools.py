"""Rows that call tools need a chat template that has a place for tools."""

from __future__ import annotations

from typing import Any

from studio.errors import InvalidInput
from studio.train import recipe as recipes
from studio.train.recipes.setup import Setup

NAME, RESULT = "look_up_the_weather", "sunny-spells-42"
TOOL = {"type": "function", "function": {"name": NAME, "parameters": {"type": "object", "properties": {}}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": NAME}}]}
CALL["tool_calls"][0]["function"]["arguments"] = {}  # type: ignore[index]
ASKED = [{"role": "user", "content": "Hi"}]


def check_tools(setup: Setup, tokenizer: Any) -> None:
    """Raise InvalidInput when rows use tools and the base's template would leave them out."""
    if not any(uses_tools(row) for row in setup.rows(recipes.TRAIN)):
        return
    if not supports_tools(tokenizer):
        raise InvalidInput(
            "Some rows call tools, but this base's chat template has no place for tools, so the model would never see "
            "them. Choose a base whose template knows tools (Qwen3 does), or leave those rows out on Curate."
        )


def uses_tools(row: dict[str, Any]) -> bool:
    """Whether a training row offers, calls or answers with a tool."""
    messages = [message for key in ("prompt", "completion", "messages") for message in row.get(key) or []]
    return bool(row.get("tools")) or any(each["role"] == "tool" or each.get("tool_calls") for each in messages)


def supports_tools(tokenizer: Any) -> bool:
    """Whether the template shows the model the tools it has, the calls it made and what they gave."""
    answer = {"role": "tool", "name": NAME, "content": RESULT}
    try:
        offered = tokenizer.apply_chat_template(ASKED, tools=[TOOL], tokenize=False)
        called = tokenizer.apply_chat_template([*ASKED, CALL, answer], tokenize=False)
    except Exception:  # templates raise errors of their own choosing about roles that they do not know
        return False
    return NAME in offered and NAME in called and RESULT in called
