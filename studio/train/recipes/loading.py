"""A run's model, loaded as its recipe says: precision, attention, 4 or 8 bits, answering or judging."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, set_seed
from trl import get_peft_config, get_quantization_config
from trl.trainer.reward_trainer import suppress_seqcls_warning

from studio.errors import InvalidInput
from studio.train.recipes.setup import Setup

QLORA = "bitsandbytes"


def causal(setup: Setup) -> Any:
    """The base as a model that writes answers."""
    return _trainable(AutoModelForCausalLM.from_pretrained(setup.base, **_settings(setup)))


def judge(setup: Setup, pad_token_id: int) -> Any:
    """The base as a model that gives one score; its head starts from the recipe's seed."""
    set_seed(setup.training.seed)
    settings = _settings(setup) | {"num_labels": 1, "pad_token_id": pad_token_id}
    with suppress_seqcls_warning():
        return _trainable(AutoModelForSequenceClassification.from_pretrained(setup.base, **settings))


def adapter(setup: Setup) -> Any:
    """The LoRA settings of the recipe, or None when every weight is trained."""
    return get_peft_config(setup.model)


def is_quantised(setup: Setup) -> bool:
    """Whether the base is held in 4 or 8 bits."""
    return bool(setup.model.load_in_4bit or setup.model.load_in_8bit)


def _settings(setup: Setup) -> dict[str, Any]:
    dtype = setup.model.dtype or "float32"
    settings = {"dtype": dtype if dtype == "auto" else getattr(torch, dtype)}
    if setup.model.attn_implementation:
        settings["attn_implementation"] = setup.model.attn_implementation
    return settings | _quantised(setup)


def _trainable(model: Any) -> Any:
    """The model, kept from repacking 4-bit weights in an evaluation on a CPU.

    bitsandbytes packs them for inference then and leaves them so; training goes on without gradients through them.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _quantised(setup: Setup) -> dict[str, Any]:
    if not is_quantised(setup):
        return {}
    if not setup.model.use_peft:
        raise InvalidInput("A base held in 4 or 8 bits cannot be changed itself: turn LoRA on, or load it in full.")
    if find_spec(QLORA) is None:
        raise InvalidInput("QLoRA needs bitsandbytes. Install it with `pip install 'whetstone[qlora]'`, or use LoRA.")
    place = str(setup.training.device)
    return {"quantization_config": get_quantization_config(setup.model), "device_map": {"": place}}
