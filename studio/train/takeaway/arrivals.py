"""What came back from elsewhere: which tool made it, and whether it belongs to the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.errors import InvalidInput
from studio.train.takeaway.fits import refuse_adapter, refuse_model, refuse_other_name
from studio.train.takeaway.tensors import shapes_in, shapes_of
from studio.train.takeaway.unpack import ADAPTER, CONFIG, read_json

SIGNS = (("llama-factory", "LLaMA-Factory"), ("axolotl", "Axolotl"), ("unsloth", "Unsloth"), ("trl", "TRL"))
"""What a tool writes into the model card that it leaves, and the tool's name; the first that is found counts."""
TOLD = ("peft_type", "r", "lora_alpha", "use_dora", "use_rslora", "base_model_name_or_path", "peft_version")
SHAPE_KEYS = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")


def examined(artifacts: Artifacts, folder: Path, base: Model) -> dict[str, Any]:
    """Facts for the model's lineage. Raises InvalidInput when it does not belong to the base.

    A Hub base that is not here yet is compared by name only; the job compares the rest once it has been fetched.
    """
    is_adapter = (folder / ADAPTER).exists()
    config = read_json(folder / (ADAPTER if is_adapter else CONFIG))
    if is_adapter:
        _refuse_foreign_kind(config)
        refuse_other_name(str(config.get("base_model_name_or_path") or ""), base)
    shapes = shapes_of(artifacts, base.digest) if base.digest else {}
    if shapes:
        (refuse_adapter if is_adapter else refuse_model)(shapes_in(folder), shapes, base.name)
    told = {name: config[name] for name in (TOLD if is_adapter else SHAPE_KEYS) if config.get(name) is not None}
    return {"kind": "adapter" if is_adapter else "model", "tool": tool_of(folder), **told}


def tool_of(folder: Path) -> str:
    """The tool that made it, by its model card; empty where the card does not say."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace").lower() if card.exists() else ""
    return next((name for sign, name in SIGNS if sign in text), "")


def _refuse_foreign_kind(config: dict[str, Any]) -> None:
    kind = str(config.get("peft_type") or "")
    if kind.upper() != "LORA":
        raise InvalidInput(
            f"This is an adapter of kind {kind[:40] or 'unknown'}; LoRA ones are taken. Merge it, or retrain."
        )
    if str(config.get("task_type") or "CAUSAL_LM") != "CAUSAL_LM":
        raise InvalidInput(
            "This adapter is for judging or sorting texts, not for writing them. It cannot be served here."
        )
