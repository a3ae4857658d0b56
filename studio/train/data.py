"""A frozen version as training files: prompt/completion rows, some held out to watch the run, golden rows never."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.curate.leakage import leaks
from studio.curate.snapshot import Row, VersionData
from studio.train import recipe

HELD_OUT_SHARE, HELD_OUT_MOST = 0.1, 200
GOLDEN_PROMPTS = 5
Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from, what it is watched on, and what was left out and why."""

    train: list[Row]
    held_out: list[Row]
    proof: list[Messages]
    """A few prompts outside the training rows, for proving later that a server answers with the tuned weights."""
    left_out: Counter[str] = field(default_factory=Counter)

    def write(self, folder: Path) -> None:
        """Write train.jsonl and, when rows are held out, eval.jsonl."""
        folder.mkdir(parents=True, exist_ok=True)
        _write_rows(folder / recipe.TRAIN, self.train)
        if self.held_out:
            _write_rows(folder / recipe.EVAL, self.held_out)


def split(version: VersionData, seed: int = 0) -> TrainingData:
    """Choose rows: those that repeat a golden prompt, call tools or answer nothing are left out.

    Held-out rows are chosen by a hash of the prompt, so the choice is stable and equal prompts stay on one side.
    """
    leaked = set(leaks(version.train, version.golden))
    reasons = {row.example_id: reason for row in version.train if (reason := why_left_out(row, leaked))}
    usable = [row for row in version.train if row.example_id not in reasons]
    held_out = _held_out_prompts(usable, seed)
    watched = [row for row in usable if row.prompt_hash in held_out]
    proof = [row for row in version.golden if not why_left_out(row, set())] or watched
    return TrainingData(
        [row for row in usable if row.prompt_hash not in held_out],
        watched,
        [plain(row.messages) for row in proof[:GOLDEN_PROMPTS]],
        Counter(reasons.values()),
    )


def why_left_out(row: Row, leaked: set[str]) -> str | None:
    """The reason a row cannot be trained on, or None."""
    if row.example_id in leaked:
        return "repeats a golden prompt"
    if row.tools or row.answer.get("tool_calls") or any(_uses_tools(message) for message in row.messages):
        return "calls tools"
    return None if row.output.strip() and row.messages else "is empty"


def plain(messages: Messages) -> Messages:
    """Messages with text content only, in the one shape every row of a training file must have."""
    return [{"role": str(message["role"]), "content": _text(message.get("content"))} for message in messages]


def _held_out_prompts(rows: list[Row], seed: int) -> set[str]:
    prompts = sorted({row.prompt_hash for row in rows}, key=lambda each: _shuffled(each, seed))
    return set(prompts[: min(int(len(prompts) * HELD_OUT_SHARE), HELD_OUT_MOST)])


def _shuffled(prompt_hash: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{prompt_hash}".encode()).hexdigest()


def _write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            completion = [{"role": "assistant", "content": row.output}]
            pair = {"prompt": plain(row.messages), "completion": completion}
            stream.write(json.dumps(pair, ensure_ascii=False) + "\n")


def _uses_tools(message: dict[str, Any]) -> bool:
    return message.get("role") == "tool" or bool(message.get("tool_calls"))


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
