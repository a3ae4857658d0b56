"""What the preference trainers with a reference model share: how the reference's answers are had."""

from __future__ import annotations

from studio.train import recipe as recipes
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers import picks

KEYS = ("precompute_ref_log_probs", "sync_ref_model")


def pick_reference(setup: Setup) -> list[picks.Pick]:
    """Compute the reference's answers once, before training, where that saves memory or time.

    With LoRA the reference is the base below the adapter; when every weight is trained it would be a second model.
    """
    args = setup.training
    pick = picks.reference(_epochs(setup), trains_all=not setup.model.use_peft)
    if pick is None or not picks.free(setup, "precompute_reference", *KEYS):
        return []
    args.precompute_ref_log_probs = True
    return [pick]


def _epochs(setup: Setup) -> float:
    args, rows = setup.training, len(setup.rows(recipes.TRAIN))
    if args.max_steps <= 0:
        return float(args.num_train_epochs)
    seen = args.max_steps * args.train_batch_size * args.gradient_accumulation_steps
    return float(seen / max(rows, 1))
