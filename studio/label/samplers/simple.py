"""Samples that need nothing but the examples: by chance, golden first, stratified, never sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from storage.repositories.samples import Candidate, SampleRepository
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen, Pool

MODEL = "model"
SHOWN_TAGS = 8


def golden_first(pool: Pool) -> list[Chosen]:
    """Golden examples nobody verified, then training ones nobody verified; each by chance."""
    unverified = [each for each in pool.shuffled() if not each.verified]
    golden = [Chosen(each.id, "golden, not verified yet") for each in unverified if each.split == "golden"]
    return golden + [Chosen(each.id, "by chance") for each in unverified if each.split != "golden"]


def by_chance(pool: Pool) -> list[Chosen]:
    """Every example is as likely as any other."""
    return [Chosen(each.id, "by chance") for each in pool.shuffled()]


def never_sent(pool: Pool) -> list[Chosen]:
    """Examples that were in no task yet, by chance."""
    sent = SampleRepository(pool.session).ever_sent(pool.dataset_id)
    return [Chosen(each.id, "never sent before") for each in pool.shuffled() if each.id not in sent]


def stratified(pool: Pool) -> list[Chosen]:
    """One of every kind in turn, until there are enough or a kind is used up."""
    kind_of = _by_model(pool) if pool.by == MODEL else _by_tag(pool)
    groups: dict[str, list[Candidate]] = {}
    for each in pool.shuffled():
        groups.setdefault(kind_of(each), []).append(each)
    sizes = {kind: len(found) for kind, found in groups.items()}
    return [
        Chosen(each.id, f"{pool.by}: {kind} (1 of {sizes[kind]:,})")
        for kind, each in _in_turn(dict(sorted(groups.items())))
    ]


def _in_turn(groups: Mapping[str, Sequence[Candidate]]) -> Iterator[tuple[str, Candidate]]:
    for place in range(max(map(len, groups.values()), default=0)):
        for kind, found in groups.items():
            if place < len(found):
                yield kind, found[place]


def _by_tag(pool: Pool) -> Callable[[Candidate], str]:
    known = Counter(str(tag) for each in pool.candidates for tag in each.tags)
    if pool.by not in known:
        names = ", ".join(tag for tag, _count in known.most_common(SHOWN_TAGS))
        have = f"They have: {names}." if names else "They have no tags: send them with your calls (see Capture)."
        asked = f"No example has the tag {pool.by!r}." if pool.by else "Choose the tag to stratify by, or “model”."
        raise InvalidInput(f"{asked} {have}")
    return lambda each: str(each.tags.get(pool.by, "(none)"))


def _by_model(pool: Pool) -> Callable[[Candidate], str]:
    models = SampleRepository(pool.session).models_that_answered(pool.dataset_id)
    if not models:
        raise InvalidInput("No example of this dataset comes from a captured call, so no model is known. Choose a tag.")
    return lambda each: models.get(each.id, "(not captured)")
