"""A run's folder as TRL reads it: recipe.yaml parsed as `trl <method> --config` would, base, rows, checkpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, TrlParser

from studio.errors import InvalidInput
from studio.train import recipe as recipes
from studio.train.recipes.checkpoints import newest_complete
from studio.train.recipes.mirrors import keep_private

__all__ = ["Rows", "Setup", "load", "newest_complete", "read_rows"]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Setup:
    """A recipe with its paths made absolute."""

    training: Any
    """The method's config class, filled: SFTConfig, DPOConfig ..."""
    model: ModelConfig
    folder: Path
    studio: dict[str, Any]

    @property
    def base(self) -> Path:
        """Folder of the model to start from."""
        return self.folder / str(self.model.model_name_or_path)

    @property
    def output(self) -> Path:
        """Folder of the checkpoints."""
        return Path(self.training.output_dir)

    def tokenizer(self) -> Any:
        """The base's tokenizer."""
        return AutoTokenizer.from_pretrained(self.base)

    def weights(self) -> Any:
        """The base, loaded in the recipe's precision."""
        return AutoModelForCausalLM.from_pretrained(self.base, dtype=getattr(torch, self.model.dtype or "float32"))

    def rows(self, name: str) -> Rows:
        """The rows of one of the data files; none when it is not there."""
        return read_rows(self.folder / recipes.DATA / name)


def load(folder: Path, config: type, changes: dict[str, Any] | None = None) -> Setup:
    """Parse the folder's recipe with the method's config class; `changes` replace values of it."""
    parser = TrlParser((ScriptArguments, config, ModelConfig, DatasetMixtureConfig))
    more = [part for name, value in (changes or {}).items() for part in (f"--{name}", str(value))]
    given = ["--config", str(folder / recipes.RECIPE), *more]
    try:
        _script, training, model, _mixture = parser.parse_args_and_config(given)
    except SystemExit as error:  # the way a command-line parser refuses a value
        raise InvalidInput(f"The recipe cannot be read: {error.__context__}.") from error
    training.output_dir = str(folder / training.output_dir)
    keep_private(training, folder)
    return Setup(training, model, folder, recipes.read_studio(folder))


def read_rows(path: Path) -> Rows:
    """The rows of a JSONL file; none when it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
