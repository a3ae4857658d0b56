"""Greedy answers from a loaded model, in one left-padded batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Answer:
    """What a model said: its tokens (without padding or end markers) and their text."""

    tokens: list[int]
    text: str


def greedy(model: Any, tokenizer: Any, prompts: list[list[dict[str, Any]]], max_new_tokens: int) -> list[Answer]:
    """The most likely answer to each prompt. Leaves the model in the mode (train or eval) it was found in."""
    batch = padded(tokenizer, prompts).to(model.device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            made = model.generate(**batch, **greedy_settings(tokenizer), max_new_tokens=max_new_tokens)
    finally:
        model.train(was_training)
    ends = _end_tokens(model, tokenizer)
    return [_answer(tokenizer, row.tolist(), ends) for row in made[:, batch["input_ids"].shape[1] :]]


def rendered(tokenizer: Any, messages: list[dict[str, Any]]) -> str:
    """The prompt as the model sees it, up to where the answer starts."""
    text: str = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=False, enable_thinking=False
    )
    return text


def can_read(model: Any, tokenizer: Any, messages: list[dict[str, Any]], answer: int = 0) -> bool:
    """Whether prompt and answer are within the model's context; reading more costs the square of its length."""
    most = getattr(model.config, "max_position_embeddings", None)
    text = rendered(tokenizer, messages)
    return not most or len(text.encode()) + answer <= most or len(tokenizer(text)["input_ids"]) + answer <= most


def padded(tokenizer: Any, prompts: list[list[dict[str, Any]]]) -> Any:
    """The prompts as one batch, padded on the left."""
    texts = [rendered(tokenizer, messages) for messages in prompts]
    return tokenizer(
        texts,
        return_tensors="pt",
        padding=True,
        padding_side="left",
        add_special_tokens=False,
        return_token_type_ids=False,
    )


def greedy_settings(tokenizer: Any) -> dict[str, Any]:
    """What makes `generate` take the most likely token, whatever the model's own settings say."""
    return {
        "do_sample": False,
        "temperature": None,
        "top_p": None,
        "top_k": None,
        "pad_token_id": tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
    }


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return {end for end in (*listed, tokenizer.eos_token_id, tokenizer.pad_token_id) if end is not None}


def _answer(tokenizer: Any, tokens: list[int], ends: set[int]) -> Answer:
    stop = next((index for index, token in enumerate(tokens) if token in ends), len(tokens))
    kept = tokens[:stop]
    return Answer(kept, tokenizer.decode(kept, skip_special_tokens=True))
