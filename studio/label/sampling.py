"""Which examples are sent to people, and why each of them.

A new way to sample is one function over a Pool and one row in SAMPLERS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.samples import SampleRepository
from studio.errors import InvalidInput
from studio.label.samplers import clusters, doubts, feedback, models, shadows, simple
from studio.label.samplers.pool import Chosen, Pool


@dataclass(frozen=True)
class Sampler:
    """One way to choose: in a sentence, what it goes by (empty: nothing to choose), and how."""

    sentence: str
    choose: Callable[[Pool], list[Chosen]]
    by: str = ""


SAMPLERS: dict[str, Sampler] = {
    "golden_first": Sampler("Golden examples nobody verified yet, then random training examples", simple.golden_first),
    "random": Sampler("Random examples: what they show holds for the whole dataset", simple.by_chance),
    "unlabeled": Sampler("Examples that were never sent to anybody, by chance", simple.never_sent),
    "stratified": Sampler(
        "As many of every kind as of any other, by a tag or by model, so that rare kinds are seen too",
        simple.stratified,
        by="Tag, or “model” for the model that answered",
    ),
    "lowest_feedback": Sampler(
        "What users liked least first: thumbs down, corrections, low scores", feedback.lowest_first
    ),
    "disagreement": Sampler(
        "Examples to which two models gave different answers, such as today's model and yours",
        models.disagreement,
        by="Two models, separated by a comma; empty compares today's model with the newest tuned one",
    ),
    "boundary": Sampler(
        "Examples that divide your models most: the entropy of their answers, not one model's own doubt",
        models.boundary,
    ),
    "shadow": Sampler(
        "Examples whose call a shadow answered otherwise than the live model: the newest first",
        shadows.answered_otherwise,
    ),
    "doubts": Sampler(
        "Examples that a model trained on them still does not believe, strongest doubt first: often wrong labels",
        doubts.doubted,
    ),
    "clusters": Sampler(
        "One typical example of each group of similar prompts, large and small groups alike", clusters.representatives
    ),
}
SAMPLES = {name: sampler.sentence for name, sampler in SAMPLERS.items()}
SAMPLE_BY = {name: sampler.by for name, sampler in SAMPLERS.items() if sampler.by}
"""What has to be chosen besides, for the samples that go by something."""


def choose(session: Session, dataset_id: str, size: int, how: str, by: str = "", seed: int = 0) -> list[Chosen]:
    """Up to `size` examples, each with its reason; the same seed chooses the same ones of the same data.

    Raises InvalidInput for an unknown sample, and when the data that the sample needs is not there.
    """
    if how not in SAMPLERS:
        raise InvalidInput(f"There is no sample {how!r}. Choose one of: {', '.join(SAMPLERS)}.")
    candidates = SampleRepository(session).candidates(dataset_id)
    pool = Pool(session, dataset_id, candidates, size, by.strip(), seed)
    return SAMPLERS[how].choose(pool)[:size] if candidates else []
