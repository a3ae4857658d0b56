"""A run's folder as TRL reads it: recipe.yaml parsed as `trl <method> --config` would, base, rows, checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, TrlParser

from studio.train import recipe as recipes

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


def load(folder: Path, config: type) -> Setup:
    """Parse the folder's recipe with the method's config class."""
    parser = TrlParser((ScriptArguments, config, ModelConfig, DatasetMixtureConfig))
    _script, training, model, _mixture = parser.parse_args_and_config(["--config", str(folder / recipes.RECIPE)])
    training.output_dir = str(folder / training.output_dir)
    return Setup(training, model, folder, recipes.read_studio(folder))


def newest_complete(output: Path) -> Path | None:
    """The newest checkpoint that was saved to its end; half-written ones are deleted.

    The trainer writes `trainer_state.json` last, so its presence marks a whole checkpoint.
    """
    found = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        if not _is_whole(path):
            shutil.rmtree(path)
    return next((path for path in found if path.exists()), None)


def read_rows(path: Path) -> Rows:
    """The rows of a JSONL file; none when it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return True
