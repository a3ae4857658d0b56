"""A recipe being translated: what was asked for counts as expressed, the rest is told in the README."""

from __future__ import annotations

from math import ceil
from typing import Any

from studio.train.takeaway.port import RECIPE_DEFAULTS

NOT_TOLD = frozenset(
    {
        "model_name_or_path",
        "dataset_name",
        "output_dir",
        "report_to",
        "disable_tqdm",
        "dataloader_pin_memory",
        "save_total_limit",
        "save_strategy",
        "eval_strategy",
        "eval_on_start",
        "per_device_eval_batch_size",
        "use_cpu",
        "data_seed",
        "logging_steps",
        "logging_first_step",
        "eos_token",
        "use_cache",
    }
)
"""Keys about this machine, or about watching: nothing is lost when another tool does them its own way."""
NEUTRAL: tuple[Any, ...] = (None, False, 0, 0.0, "", [], {}, "no", "none")


class Taken:
    """Reads a recipe and remembers what was read."""

    def __init__(self, recipe: dict[str, Any]) -> None:
        self._recipe, self._seen = recipe, set[str]()
        self.notes: list[str] = []

    def take(self, name: str, default: Any = None) -> Any:
        """The value of a key, which the tool has a counterpart for."""
        self._seen.add(name)
        found = self._recipe.get(name)
        return default if found is None else found

    def note(self, sentence: str) -> None:
        """Something that the tool does differently, in a sentence."""
        self.notes.append(sentence)

    def left(self) -> list[str]:
        """What could not be expressed, a sentence each."""
        rest = {name: value for name, value in self._recipe.items() if name not in self._seen and name not in NOT_TOLD}
        told = [f"`{name}: {value}` has no counterpart here." for name, value in rest.items() if value not in NEUTRAL]
        return [*self.notes, *told]

    @property
    def is_lora(self) -> bool:
        """Whether an adapter is trained."""
        return bool(self.take("use_peft", False))

    @property
    def is_4bit(self) -> bool:
        """Whether the base is loaded in four bits."""
        return bool(self.take("load_in_4bit", False))

    @property
    def targets(self) -> list[str] | None:
        """Names of the modules that get an adapter; None for all linear ones."""
        found = self.take("lora_target_modules", ["all-linear"])
        names = [found] if isinstance(found, str) else list(found)
        return None if names in (["all-linear"], []) else [str(name) for name in names]

    @property
    def losses(self) -> list[str]:
        """The preference losses, also where the recipe names one as text."""
        found = self.take("loss_type", [])
        return [found] if isinstance(found, str) else [str(name) for name in found]

    def steps(self, rows: int) -> int:
        """Optimizer steps of the whole run on so many rows."""
        batch = int(self.take("per_device_train_batch_size", 8)) * int(self.take("gradient_accumulation_steps", 1))
        epochs = float(self.take("num_train_epochs", RECIPE_DEFAULTS["num_train_epochs"]))
        most = int(self.take("max_steps", 0) or 0)
        wanted = max(1, ceil(epochs * ceil(rows / batch)))
        return min(wanted, most) if most > 0 else wanted

    def warmup_steps(self, rows: int) -> int:
        """Warm-up in steps, which every version of every tool takes; TRL reads a number below one as a share."""
        value = float(self.take("warmup_steps", 0))
        return round(value * self.steps(rows)) if value < 1 else int(value)
