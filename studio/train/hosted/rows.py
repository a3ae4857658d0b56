"""Our rows as each company wants them uploaded. Golden rows are never among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InvalidInput
from studio.train import recipe
from studio.train.hosted.port import HostedSpec

Row = dict[str, Any]
Form = Callable[[Row], Row]
UPLOAD = "upload"


@dataclass(frozen=True)
class Upload:
    """A file to upload."""

    path: Path
    name: str
    """Names the run and its content, so that a file that is there already is found again."""
    rows: int
    characters: int


def chat(row: Row) -> Row:
    """{"messages"}: prompt and answer; what the model said earlier in the prompt is not to be learned (weight 0)."""
    earlier = len(row["prompt"])
    messages = openai_messages([*row["prompt"], *row["completion"]])
    return {"messages": [*map(_unlearned, messages[:earlier]), *messages[earlier:]], **_tools(row)}


def preference(row: Row) -> Row:
    """The triple of OpenAI's preference format, which the others took over."""
    asked = {"messages": openai_messages(row["prompt"]), **_tools(row)}
    chosen, rejected = (openai_messages(row[name]) for name in ("chosen", "rejected"))
    return {"input": asked, "preferred_output": chosen, "non_preferred_output": rejected}


def bedrock_conversation(row: Row) -> Row:
    """Bedrock's own conversation schema: system apart, text blocks, user and assistant in turn."""
    messages = [*row["prompt"], *row["completion"]]
    if "tools" in row or any(message.get("tool_calls") or message["role"] == "tool" for message in messages):
        raise InvalidInput("Bedrock's training format has no tool calls. Leave such rows out, or train elsewhere.")
    said = [message for message in messages if message["role"] != "system"]
    system = [{"text": _text(message)} for message in messages if message["role"] == "system"]
    turns = [{"role": role, "content": [{"text": text}]} for role, text in _in_turn(said)]
    return {"schemaVersion": "bedrock-conversation-2024", **({"system": system} if system else {}), "messages": turns}


FORMS: dict[str, Form] = {"sft": chat, "distil": chat, "dpo": preference, "orpo": preference}


def uploads(spec: HostedSpec, form: Form) -> tuple[Upload, Upload | None]:
    """Write the rows to train on and those held out as this form has them. Raises InvalidInput when there are none."""
    train = _written(spec, recipe.TRAIN, form)
    if train is None:
        raise InvalidInput("There is no row to train on. Add examples on Curate and freeze a new version.")
    return train, _written(spec, recipe.EVAL, form)


def openai_messages(messages: list[Row]) -> list[Row]:
    """Messages as OpenAI's API has them: calls carry an id and arguments as text, and results name their call."""
    waiting: list[str] = []
    written = []
    for place, message in enumerate(messages):
        calls = [_call(call, f"call_{place}_{number}") for number, call in enumerate(message.get("tool_calls") or ())]
        waiting += [call["id"] for call in calls]
        answers = {"tool_call_id": waiting.pop(0)} if message["role"] == "tool" and waiting else {}
        written.append({**message, **({"tool_calls": calls} if calls else {}), **answers})
    return written


def _call(call: Row, name: str) -> Row:
    function = call["function"]
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {"id": name, "type": "function", "function": {"name": function["name"], "arguments": text}}


def _written(spec: HostedSpec, name: str, form: Form) -> Upload | None:
    source, out = spec.folder / recipe.DATA / name, spec.folder / UPLOAD / name
    out.parent.mkdir(parents=True, exist_ok=True)
    rows, characters, seen = 0, 0, hashlib.sha256()
    with out.open("w", encoding="utf-8") as stream:
        for row in _read(source):
            line = json.dumps(form(row), ensure_ascii=False) + "\n"
            stream.write(line)
            seen.update(line.encode())
            rows, characters = rows + 1, characters + len(line)
    kind = name.partition(".")[0]
    full = f"whetstone-{spec.run_id}-{kind}-{seen.hexdigest()[:8]}.jsonl"
    return Upload(out, full, rows, characters) if rows else None


def _read(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            if isinstance(row.get("tools"), str):
                row["tools"] = json.loads(row["tools"])
            yield row


def _tools(row: Row) -> Row:
    return {"tools": row["tools"]} if row.get("tools") else {}


def _unlearned(message: Row) -> Row:
    return message | {"weight": 0} if message["role"] == "assistant" else message


def _in_turn(messages: list[Row]) -> list[tuple[str, str]]:
    """Roles in turn: what one side said in several messages is one."""
    turns: list[tuple[str, str]] = []
    for message in messages:
        role, text = message["role"], _text(message)
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n\n{text}")
        else:
            turns.append((role, text))
    return turns


def _text(message: Row) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
