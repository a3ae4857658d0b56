"""Loading a model folder: weights and tokenizer, nothing from the network. Only the serving process imports this."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_model(folder: Path, device: str) -> Any:
    """The folder's weights in their own precision, on the device; nothing is learned from them."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    return model.to(device).eval().requires_grad_(False)
