"""What decides how heavy a run is."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from studio.train.shape import ModelShape

LOW_RANK = ("lora", "rslora", "dora", "qlora")
"""Ways of training that learn an adapter; `full` learns every weight."""
PAIRED = ("dpo", "ipo", "orpo", "cpo", "simpo", "reward")
"""Methods that read two answers for every row."""
REFERENCED = ("dpo", "ipo", "kto")
"""Methods that compare with the model as it was: a second copy, unless an adapter can be taken off."""


MOST_ANSWERED, SHOWN, ANSWERED_AT_ONCE = 64, 5, 72
"""Golden rows answered at every check, held-out rows answered for people to see, rows answered at once."""
MOST_WRITTEN, SPARE = 128, 8
"""Tokens of an answer at most, and beyond the longest expected one."""


@dataclass(frozen=True)
class Watched:
    """What all evaluations of a run do together."""

    tokens: int = 0
    """Tokens read: held-out rows, and the prompts of the golden rows."""
    written: int = 0
    """Tokens written one after another, a batch of answers at a time: what a check of real answers costs."""

    @classmethod
    def of(
        cls,
        steps: int,
        every: int,
        *,
        held_out: int,
        golden: int,
        row_tokens: float,
        answer_tokens: int,
        sequences: int = 1,
        tried: int = 0,
    ) -> Watched:
        """Before the first step and every so many steps; answers are as long as the longest that is expected.

        `sequences`: answers that a held-out row is read with. `tried`: tokens written one after another in a check
        where held-out prompts are practised too (GRPO).
        """
        checks = 1 + (steps // max(every, 1) if held_out else 1)
        answered = min(golden, MOST_ANSWERED) + min(held_out, SHOWN)
        batches, length = ceil(answered / ANSWERED_AT_ONCE), min(MOST_WRITTEN, answer_tokens + SPARE)
        return cls(int(checks * (sequences * held_out + answered) * row_tokens), checks * (batches * length + tried))


UNWATCHED = Watched()


@dataclass(frozen=True)
class Load:
    """The size of a run."""

    lora_rank: int | None
    """None trains every weight."""
    batch: int
    """Rows in memory at once."""
    row_tokens: int
    """Tokens of a padded row."""
    tokens: int
    """Tokens over the whole run."""
    checkpointing: bool = False
    training: str = "lora"
    """lora, rslora, dora, qlora or full."""
    method: str = "sft"
    new_tokens: int = 0
    """Tokens of an answer that the model tries out itself (GRPO)."""
    watched: Watched = UNWATCHED
    """What evaluations read and write."""
    tried_steps: int = 0
    """Tokens written one after another while practising (GRPO)."""
    scored_share: float = 1.0
    """Share of positions whose vocabulary scores are computed; the answer's only, where the trainer can."""

    @property
    def is_full(self) -> bool:
        """Whether every weight is trained."""
        return self.lora_rank is None or self.training == "full"

    @property
    def is_quantized(self) -> bool:
        """Whether the base is held in four bits."""
        return self.training == "qlora" and not self.is_full

    @property
    def sequences(self) -> int:
        """Sequences in memory at once: a preference row has two."""
        return self.batch * (2 if self.method in PAIRED else 1)

    @property
    def positions(self) -> int:
        """Tokens in memory at once."""
        return self.sequences * (self.row_tokens + self.new_tokens)

    def trained(self, shape: ModelShape) -> int:
        """Numbers that learn."""
        if self.is_full:
            return shape.parameters
        return shape.lora_parameters(self.lora_rank or 0, dora=self.training == "dora")


def load_of(method: str, values: dict[str, Any], row_tokens: int, tokens: int, **more: Any) -> Load:
    """The load of a plan's values: `training`, `lora_r`, `micro_batch` or `batch_size`, `checkpointing`."""
    training = values.get("training", "lora")
    rank = None if training == "full" else int(values.get("lora_r", 16))
    batch = int(values.get("micro_batch") or values["batch_size"])
    checkpointing = bool(values.get("checkpointing"))
    return Load(rank, batch, row_tokens, tokens, checkpointing, training, method, **more)
