"""From a draft to its items: sampled, with candidates to compare, gold questions mixed in, and people assigned."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.repositories.samples import SampleRepository
from storage.tables import Example
from studio.errors import InvalidInput
from studio.label import assignment, gold
from studio.label.candidates import candidates_of
from studio.label.draft import SPLIT, TaskDraft
from studio.label.samplers.pool import Chosen
from studio.label.sampling import choose
from studio.label.templates import template

NOTHING_LEFT = "No example is left to send: all are verified, excluded or already with people."
NOTHING_TO_COMPARE = (
    "No example has two different answers to compare. Evaluate a second model on Evaluate (also on unverified "
    "examples), or let people correct some answers first."
)
LOOKED_AT = 500
"""Verified examples among which gold questions are looked for, at the least."""


@dataclass(frozen=True)
class Planned:
    """One item to be sent."""

    example_id: str
    reason: str
    shown_output: str
    candidates: list[dict[str, Any]] = field(default_factory=list)
    known: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All items in the order they are sent, and what an editor should know."""

    items: list[Planned]
    notes: list[str]

    def assigned(self) -> dict[str, int]:
        """Items per person, where the task is split."""
        return dict(Counter(name for item in self.items for name in item.asked))


def plan_of(session: Session, draft: TaskDraft, people: Sequence[str]) -> Plan:
    """What the draft sends now; the same data and seed give the same plan. No items means nothing is left."""
    notes: list[str] = []
    items = _sampled(session, draft, notes)
    if items and draft.gold_percent:
        items = _with_gold(session, draft, items, notes)
    if items and is_split(draft):
        items = _assigned(draft, items, people, notes)
    return Plan(items, notes)


def is_split(draft: TaskDraft) -> bool:
    """Comparisons always are: everybody sees the answers in an order of their own."""
    return draft.assignment == SPLIT or template(draft.template).needs_candidates


def _sampled(session: Session, draft: TaskDraft, notes: list[str]) -> list[Planned]:
    compares = template(draft.template).needs_candidates
    wanted = draft.size if not compares else len(SampleRepository(session).candidates(draft.dataset_id))
    if draft.examples:
        chosen = _by_hand(session, draft)
    else:
        chosen = choose(session, draft.dataset_id, wanted, draft.sample, draft.sample_by, draft.seed)
    if compares:
        items = _to_compare(session, draft, chosen)
    else:
        shown = SampleRepository(session).outputs([each.example_id for each in chosen])
        items = [Planned(each.example_id, each.reason, shown[each.example_id]) for each in chosen]
    if items and len(items) < draft.size:
        notes.append(f"{len(items):,} examples fit this sample; {draft.size:,} were asked for.")
    return items


def _by_hand(session: Session, draft: TaskDraft) -> list[Chosen]:
    """The chosen examples that can be sent: in, with an answer, not out with people already."""
    able = {each.id for each in SampleRepository(session).candidates(draft.dataset_id)}
    return [Chosen(key, "chosen by hand") for key in draft.examples if key in able][: draft.size]


def _to_compare(session: Session, draft: TaskDraft, chosen: Sequence[Chosen]) -> list[Planned]:
    """Examples with as many different answers as are compared, in the sample's order, until there are enough."""
    needed = int(draft.options.get("answers", 2))
    items: list[Planned] = []
    for start in range(0, len(chosen), LOOKED_AT):
        part = chosen[start : start + LOOKED_AT]
        examples = {row.id: row for row in ExampleRepository(session).by_ids([each.example_id for each in part])}
        found = candidates_of(session, list(examples.values()), needed)
        for each in part:
            if len(found[each.example_id]) == needed:
                shown = examples[each.example_id].output
                items.append(Planned(each.example_id, each.reason, shown, found[each.example_id]))
        if len(items) >= draft.size:
            return items[: draft.size]
    if chosen and not items:
        raise InvalidInput(NOTHING_TO_COMPARE)
    return items


def _with_gold(session: Session, draft: TaskDraft, items: list[Planned], notes: list[str]) -> list[Planned]:
    wanted = gold.how_many(len(items), draft.gold_percent)
    found = gold.gold_items(_verified(session, draft, items, wanted), draft.template, draft.options, wanted, draft.seed)
    if not found:
        raise InvalidInput(
            "Gold questions need verified examples whose answer is known, and none is left besides the ones sent. "
            "Verify some on Curate or by a first task, or set gold questions to 0 percent."
        )
    if len(found) < wanted:
        notes.append(f"Only {len(found):,} verified examples serve as gold questions; {wanted:,} were wanted.")
    chance = random.Random(draft.seed)
    made = iter([Planned(each.example_id, chance.choice(items).reason, each.shown, known=each.known) for each in found])
    others = iter(items)
    notes.append(f"{len(found):,} gold questions are mixed in. Nobody can tell them apart, and they change no output.")
    return [next(made if is_gold else others) for is_gold in gold.mixed(len(items), len(found), draft.seed)]


def _verified(session: Session, draft: TaskDraft, items: Sequence[Planned], wanted: int) -> list[Example]:
    """Some verified examples that the task does not hold already, by chance."""
    sent = {item.example_id for item in items}
    ids = [key for key in SampleRepository(session).verified(draft.dataset_id) if key not in sent]
    random.Random(draft.seed).shuffle(ids)
    some = ids[: max(LOOKED_AT, 4 * wanted)]
    found = {row.id: row for row in ExampleRepository(session).by_ids(some)}
    return [found[key] for key in some]


def _assigned(draft: TaskDraft, items: list[Planned], people: Sequence[str], notes: list[str]) -> list[Planned]:
    parts = assignment.split(len(items), sorted(people), draft.answers_per_item, draft.shares, draft.seed)
    counts = Counter(name for asked in parts for name in asked)
    notes.append(", ".join(f"{name} gets {counts[name]:,}" for name in sorted(counts)) + ".")
    return [replace(item, asked=asked) for item, asked in zip(items, parts, strict=True)]
