"""Examples about which models differ, from the answers that evaluations kept.

Entropy of votes: Dagan, I., Engelson, S. P. (1995). Committee-based sampling for training probabilistic classifiers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from storage.repositories.samples import ModelAnswer, SampleRepository
from studio.errors import InvalidInput
from studio.label.resolve import same_answer
from studio.label.samplers.pool import Chosen, Pool

MISSING = (
    "This sample compares the answers of two models, and Evaluate has none to these examples. Compare two models on "
    "Evaluate first (also on unverified examples), or choose another sample."
)
Answers = dict[str, dict[str, str]]
"""Example → model → answer, in a form in which equal answers are equal text."""


def disagreement(pool: Pool) -> list[Chosen]:
    """Examples to which the two models gave different answers, by chance."""
    rows = SampleRepository(pool.session).model_answers(pool.dataset_id)
    first, second = _pair(rows, pool.by)
    answers = _answers(rows)
    both = [each for each in pool.shuffled() if {first, second} <= answers.get(each.id, {}).keys()]
    if not both:
        raise InvalidInput(MISSING)
    differ = [each for each in both if answers[each.id][first] != answers[each.id][second]]
    if not differ:
        raise InvalidInput(
            f"{first} and {second} gave the same answer to all {len(both):,} examples. Choose another sample."
        )
    return [Chosen(each.id, "two models answer differently") for each in differ]


def boundary(pool: Pool) -> list[Chosen]:
    """Highest entropy of the models' answers first; examples on which all models agree are left out."""
    answers = _answers(SampleRepository(pool.session).model_answers(pool.dataset_id))
    several = [each for each in pool.shuffled() if len(answers.get(each.id, {})) > 1]
    if not several:
        raise InvalidInput(MISSING)
    found = [(entropy(list(answers[each.id].values())), each.id) for each in several]
    divided = sorted((pair for pair in found if pair[0] > 0), key=lambda pair: -pair[0])
    if not divided:
        raise InvalidInput(
            "Your models agree on all of these examples, so none is near the boundary. Choose another sample."
        )
    return [Chosen(example, _reason(list(answers[example].values()), bits)) for bits, example in divided]


def entropy(votes: Sequence[str]) -> float:
    """Entropy of the votes in bits: 0 when all are equal, log2(n) when no two are."""
    shares = [count / len(votes) for count in Counter(votes).values()]
    return max(0.0, -sum(share * math.log2(share) for share in shares))


def _reason(votes: Sequence[str], bits: float) -> str:
    return f"{len(votes)} models gave {len(set(votes))} different answers ({bits:.2f} bits)"


def _answers(rows: Sequence[ModelAnswer]) -> Answers:
    """The newest answer of each model counts; rows come oldest first."""
    found: Answers = {}
    for row in rows:
        found.setdefault(row.example_id, {})[row.model] = same_answer(row.output)
    return found


def _pair(rows: Sequence[ModelAnswer], by: str) -> tuple[str, str]:
    """The two models named; else today's (a provider's) and the newest tuned one, else those with most answers."""
    known = {row.model: row for row in rows}
    wanted = [name.strip() for name in by.split(",") if name.strip()]
    if wanted:
        unknown = [name for name in wanted if name not in known]
        if len(wanted) != 2 or unknown:
            raise InvalidInput(f"Name two of the models that were evaluated: {', '.join(sorted(known)) or 'none yet'}.")
        return wanted[0], wanted[1]
    newest = {row.kind: row.model for row in rows}
    if {"provider", "tuned"} <= newest.keys():
        return newest["provider"], newest["tuned"]
    return _most_answered(Counter(row.model for row in rows))


def _most_answered(counts: Mapping[str, int]) -> tuple[str, str]:
    most = sorted(counts, key=lambda name: (-counts[name], name))
    if len(most) < 2:
        raise InvalidInput(MISSING)
    return most[0], most[1]
