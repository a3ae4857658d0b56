"""ORPO: learn the better answers and avoid the worse ones in one pass."""

from __future__ import annotations

from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from studio.train.recipes.trainers.dressing import Counted
from studio.train.recipes.trainers.grouping import GroupsByLength
from studio.train.recipes.trainers.reference_free import ReferenceFree


class OddsTrainer(GroupsByLength, Counted, ORPOTrainer):  # type: ignore[misc]
    """ORPO that counts tokens and tells how often it ranks the better answer first."""


class Orpo(ReferenceFree):
    """TRL's experimental ORPOTrainer."""

    config, trainer = ORPOConfig, OddsTrainer
