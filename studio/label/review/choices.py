"""The answers on offer for an item: every different one that somebody stands by, in an order that tells nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.tables import Annotation, Example, LabelItem, LabelTask, LogEntry
from studio.label.resolve import same_answer
from studio.label.resolving import stands_by

MOST = 5
"""As many as there are keys to choose with."""
MODEL, USER = "the model", "a user's correction"
SOURCES = {"people": "people, earlier", "correction": USER, "import": "the import"}


@dataclass
class Offers:
    """Answers put together by what they say."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, output: str | None, by: str) -> None:
        """Offer an answer; the same answer from somebody else only adds the name."""
        if output is None or not output.strip():
            return
        offer = self.found.setdefault(same_answer(output), {"output": output, "by": []})
        if by not in offer["by"]:
            offer["by"].append(by)

    def shuffled(self, example_id: str) -> list[dict[str, Any]]:
        """The best supported ones, ordered by a hash of example and answer."""
        best = sorted(self.found, key=lambda key: -len(self.found[key]["by"]))[:MOST]
        best.sort(key=lambda key: hashlib.sha256(f"{example_id}\n{key}".encode("utf-8", "replace")).digest())
        return [self.found[key] for key in best]


def choices_of(
    example: Example,
    item: LabelItem | None,
    task: LabelTask | None,
    given: Sequence[Annotation],
    entry: LogEntry | None,
    others: Mapping[str, str],
) -> list[dict[str, Any]]:
    """What people may choose among. `others` are more answers by who gives them (models of an evaluation)."""
    offers = Offers()
    offers.add(example.original_output, MODEL)
    if same_answer(example.output) != same_answer(example.original_output):
        offers.add(example.output, SOURCES.get(example.output_source, MODEL))
    if item and task:
        for each in given:
            offers.add(stands_by(task, item, each), each.annotator)
        for candidate in item.candidates:
            offers.add(str(candidate.get("output") or ""), str(candidate.get("model") or "another model"))
    offers.add(entry.correction if entry else None, USER)
    for name, output in others.items():
        offers.add(output, name)
    return offers.shuffled(example.id)
