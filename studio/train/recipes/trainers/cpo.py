"""Contrastive preference optimisation, and SimPO: prefer the better answer without a reference model."""

from __future__ import annotations

from trl.experimental.cpo import CPOConfig, CPOTrainer

from studio.train.recipes.trainers.dressing import Counted
from studio.train.recipes.trainers.grouping import GroupsByLength
from studio.train.recipes.trainers.reference_free import ReferenceFree


class ContrastTrainer(GroupsByLength, Counted, CPOTrainer):  # type: ignore[misc]
    """CPO that counts tokens and tells how often it ranks the better answer first."""


class Cpo(ReferenceFree):
    """TRL's experimental CPOTrainer; `loss_type` makes it CPO or SimPO."""

    config, trainer = CPOConfig, ContrastTrainer
