"""Examples that a model trained on them still does not believe, strongest doubt first.

Wrong labels are learned last (Arpit, D. et al., 2017. A Closer Look at Memorization in Deep Networks), so the rows a
trained model resists hold more mistakes than others (Swayamdipta, S. et al., 2020. Dataset Cartography).
"""

from __future__ import annotations

from storage.repositories.doubts import Doubted, DoubtRepository
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen, Pool

MISSING = (
    "This sample asks a model that was trained on the examples which of them it does not believe, and there is none "
    "yet. Train on a version of this dataset first, or choose another sample."
)
SHOWN = 60


def doubted(pool: Pool) -> list[Chosen]:
    """Unverified examples by how surprising their answer is to the newest model trained on them."""
    doubts = DoubtRepository(pool.session).of_newest_run(pool.dataset_id)
    if not doubts:
        raise InvalidInput(MISSING)
    unverified = {each.id for each in pool.candidates if not each.verified}
    return [Chosen(each.example_id, _reason(each)) for each in doubts if each.example_id in unverified]


def _reason(doubt: Doubted) -> str:
    answer = " ".join(doubt.answer.split())
    said = answer if len(answer) <= SHOWN else answer[: SHOWN - 1] + "…"
    return f"{doubt.model} says: {said}" if said else f"{doubt.model} does not believe this answer"
