"""From a captured call to an example: its answer, its split, and the reasons to leave it out."""

from __future__ import annotations

import hashlib
from typing import Any

from storage.tables import Example, LogEntry
from storage.types import now
from studio.curate.outputs import canonical, output_of

SCREENED = frozenset({"error", "empty", "invalid_json", "thumbs_down"})
"""Reasons about the answer: a verified answer takes them back."""


def prompt_hash(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
    """SHA-256 of the prompt; equal prompts are duplicates."""
    return hashlib.sha256(canonical([messages, tools]).encode()).hexdigest()


def split_of(digest: str, golden_percent: int) -> str:
    """golden or train by the prompt alone, so that the same prompt always lands on the same side."""
    return "golden" if int(digest[:8], 16) % 100 < golden_percent else "train"


def draft(entry: LogEntry, dataset_id: str, golden_percent: int) -> Example:
    """A new example of a call; excluded already when the call is no use as it stands."""
    digest = prompt_hash(entry.messages, entry.tools)
    answer = output_of(entry.reply) or entry.reply_text
    made = Example(
        dataset_id=dataset_id,
        log_entry_id=entry.id,
        messages=entry.messages,
        tools=entry.tools,
        output=answer,
        original_output=answer,
        output_source="import" if entry.source.startswith("import") else "model",
        split=split_of(digest, golden_percent),
        prompt_hash=digest,
        tags=entry.tags,
    )
    take_feedback(made, entry)
    made.excluded = objection(made, entry.status)
    return made


def take_feedback(example: Example, entry: LogEntry) -> bool:
    """Bring rating and correction of the call over; True when something changed. People's decisions stand.

    On a golden prompt a correction changes the answer but does not verify it: users correct what they notice to be
    wrong, so measuring on those would make today's model look worse than it is. Label draws golden prompts at random.
    """
    before = (example.rating, example.output, example.output_source, example.verified)
    example.rating = entry.rating
    if entry.correction and entry.correction.strip() and example.output_source != "people":
        set_answer(example, entry.correction.strip(), "correction", verified=example.split != "golden")
    return before != (example.rating, example.output, example.output_source, example.verified)


def set_answer(
    example: Example, output: str, source: str, *, verified: bool, resolution_id: str | None = None
) -> Example:
    """Give the example this answer; a verified answer takes back every objection to the old one."""
    example.output = output
    example.output_source = source
    example.verified = verified
    example.resolution_id = resolution_id or example.resolution_id
    example.updated_at = now()
    if verified and example.excluded in SCREENED:
        example.excluded = None
    return example


def objection(example: Example, status: str = "ok") -> str | None:
    """Why the answer itself is no use, or None.

    A golden prompt stays in when its answer is bad: a person will correct it, and leaving out what today's model gets
    wrong would flatter that model in every comparison.
    """
    if example.verified and example.output:
        return None
    if status != "ok":
        return "error"
    if not example.output.strip():
        return "empty"
    return "thumbs_down" if example.rating == "down" and example.split != "golden" else None


def worth(example: Example) -> tuple[bool, bool, bool]:
    """Order of preference among examples with the same prompt: verified, corrected, liked."""
    return example.verified, example.output_source in ("people", "correction"), example.rating == "up"
