"""A whole model from elsewhere as a plain checkpoint of ours. Imported by the job only: it loads torch."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.errors import InvalidInput


def adopt(base: Path, arrival: Path, out: Path) -> None:
    """Load it, refuse numbers that are not finite, and save it with the base's tokenizer and chat template.

    Another tool's template would make the served model see other prompts than the ones it is proven on.
    """
    model = AutoModelForCausalLM.from_pretrained(arrival, dtype="auto", use_safetensors=True)
    if not all(torch.isfinite(weight).all() for weight in model.parameters()):
        raise InvalidInput("The model holds numbers that are not finite: its training went wrong. Train it again.")
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)
