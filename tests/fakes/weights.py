"""Model folders without a model: whole safetensors of zeros, written byte by byte, and the JSON files around them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

TOKENIZER = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": []}
TEMPLATE = "{{ messages }}"


def safetensors(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """A safetensors file of zeros in float32."""
    header: dict[str, Any] = {}
    at = 0
    for name, shape in shapes.items():
        end = at + 4 * math.prod(shape)
        header[name], at = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, end]}, end
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + bytes(at)


def model_folder(folder: Path, model_type: str = "llama", template: str = TEMPLATE, **config: Any) -> Path:
    """What a server needs of a model, in the portable form."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **config}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    (folder / "model.safetensors").write_bytes(safetensors({"model.embed_tokens.weight": (2, 4)}))
    return folder


def adapter_folder(folder: Path, layers: tuple[str, ...] = ("q_proj", "v_proj"), rank: int = 8, **config: Any) -> Path:
    """A LoRA adapter over these layers of one block."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "bias": "none", "target_modules": list(layers)}
    (folder / "adapter_config.json").write_text(json.dumps(told | config))
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        module = f"base_model.model.model.layers.0.self_attn.{layer}"
        shapes |= {f"{module}.lora_A.weight": (rank, 4), f"{module}.lora_B.weight": (4, rank)}
    (folder / "adapter_model.safetensors").write_bytes(safetensors(shapes))
    return folder
