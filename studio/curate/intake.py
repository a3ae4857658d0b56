"""Taking captured calls into a dataset, one batch per transaction; adding the same calls again changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.tables import Dataset, Example, LogEntry
from studio.curate.examples import draft, objection, take_feedback, worth
from studio.curate.outputs import parse_object

JSON_MAJORITY = 0.5
"""A dataset whose outputs are JSON objects more often than this is taken to want JSON objects."""


@dataclass
class Added:
    """What became of the calls that were offered."""

    seen: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    excluded: Counter[str] = field(default_factory=Counter)

    @property
    def duplicates(self) -> int:
        """New examples left out because a better or earlier one has the same prompt."""
        return self.excluded["duplicate"]

    @property
    def included(self) -> int:
        """New examples that are in."""
        return self.new - self.excluded.total()

    def plus(self, other: Added) -> None:
        """Add another batch's counts to these."""
        self.seen += other.seen
        self.new += other.new
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.excluded.update(other.excluded)

    def to_dict(self) -> dict[str, object]:
        """Plain values for a job's result."""
        counts = {"seen": self.seen, "new": self.new, "updated": self.updated, "unchanged": self.unchanged}
        return {**counts, "included": self.included, "excluded": dict(self.excluded)}


def take_in(session: Session, dataset: Dataset, entries: Iterable[LogEntry]) -> Added:
    """Add one batch of calls to the dataset inside the caller's transaction."""
    examples = ExampleRepository(session)
    batch = {entry.id: entry for entry in entries if entry.id is not None}
    known = examples.by_logs(dataset.id, batch.keys())
    fresh = [draft(entry, dataset.id, dataset.golden_percent) for key, entry in batch.items() if key not in known]
    _screen_json(fresh, examples.recent_outputs(dataset.id))
    changed = [row for key, row in known.items() if _refresh(row, batch[key])]
    _settle_duplicates(examples, dataset.id, fresh, changed)
    session.add_all([*fresh, *changed])
    session.flush()
    left_out = Counter(row.excluded for row in fresh if row.excluded)
    return Added(len(batch), len(fresh), len(changed), len(known) - len(changed), left_out)


def settle(examples: ExampleRepository, dataset_id: str, changed: list[Example]) -> None:
    """Let examples that changed in, out as duplicates, or in instead of those they beat."""
    _settle_duplicates(examples, dataset_id, [], changed)


def _refresh(example: Example, entry: LogEntry) -> bool:
    changed = take_feedback(example, entry)
    if changed and example.excluded is None:
        example.excluded = objection(example, entry.status)
    elif changed and example.excluded == "thumbs_down" and entry.rating == "up":
        example.excluded = None
    return changed


def _screen_json(fresh: list[Example], others: list[str]) -> None:
    outputs = [row.output for row in fresh if row.excluded is None] + others
    objects = sum(parse_object(output) is not None for output in outputs)
    if not outputs or objects <= JSON_MAJORITY * len(outputs):
        return
    for row in fresh:
        answered_badly = not row.verified and parse_object(row.output) is None
        if row.excluded is None and row.split != "golden" and answered_badly:  # as in `objection`
            row.excluded = "invalid_json"


def _settle_duplicates(
    examples: ExampleRepository, dataset_id: str, fresh: list[Example], changed: list[Example]
) -> None:
    groups: dict[str, dict[str, Example]] = defaultdict(dict)
    for row in examples.by_hashes(dataset_id, {row.prompt_hash for row in [*fresh, *changed]}):
        groups[row.prompt_hash][row.id] = row
    for row in fresh:  # people may have moved the prompt to the other side: its repetitions follow
        row.split = next((known.split for known in groups[row.prompt_hash].values()), row.split)
    for row in [*changed, *fresh]:
        group = groups[row.prompt_hash]
        _enter(row, [other for key, other in group.items() if key != row.id])
        group[row.id] = row


def _enter(row: Example, others: list[Example]) -> None:
    """Let the row in, out as a duplicate, or in instead of those it beats."""
    if row.excluded not in (None, "duplicate"):
        return
    current = [other for other in others if other.excluded is None]
    refused = any(other.excluded == "by_hand" for other in others) and not row.verified
    if refused or any(worth(other) >= worth(row) for other in current):
        row.excluded = "duplicate"
        return
    row.excluded = None
    for other in current:
        other.excluded = "duplicate"
