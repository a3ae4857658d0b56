"""Examples whose call was answered twice, by the live model and by a shadow, and not alike."""

from __future__ import annotations

from storage.repositories.samples import SampleRepository
from storage.repositories.traffic import ShadowPairRepository
from studio.errors import InvalidInput
from studio.label.resolve import same_answer
from studio.label.samplers.pool import Chosen, Pool

MISSING = (
    "This sample needs calls that a shadow answered too, and none of these examples has one. Shadow a revision on "
    "Deploy, add the calls it answers otherwise to this dataset, or choose another sample."
)


def answered_otherwise(pool: Pool) -> list[Chosen]:
    """Unverified examples to which a shadow gave another answer, the newest answer first."""
    unverified = [each.id for each in pool.candidates if not each.verified]
    found = ShadowPairRepository(pool.session).by_examples(unverified)
    if not found:
        raise InvalidInput(MISSING)
    shown = SampleRepository(pool.session).outputs({key for key, _model, _output in found})
    differ = {key: model for key, model, output in found if same_answer(output) != same_answer(shown[key])}
    if not differ:
        raise InvalidInput("The shadow gave the same answer to all of these examples. Choose another sample.")
    return [Chosen(key, f"{model}, a shadow, answered otherwise") for key, model in differ.items()]
