"""After training: which rows does the model that learned them still not believe, and what does it say instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.train.recipes.generate import greedy, rendered
from studio.train.recipes.setup import Rows

BATCH, ANSWERS_AT_ONCE = 32, 64
LONGEST = 4096
"""Longer rows are not asked about, nor those that the model cannot read: the work grows with the length's square."""
Step = Callable[[], None]


@dataclass(frozen=True)
class Disbelief:
    """One row the model would answer differently. `index` counts rows of the training file."""

    index: int
    surprise: float
    """Nats: minus the log probability of the row's whole answer, end of turn included."""
    answer: str


def disbelieved(model_folder: Path, rows: Rows, most: int, step: Step = lambda: None) -> list[Disbelief]:
    """Rows whose answer is not the model's greedy one, most surprising first, at most `most` of them.

    `step` is called between batches: it may raise to leave.
    """
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype="auto").eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    surprises = list(_surprises(model, tokenizer, rows, step))
    chosen = sorted((pair for pair in surprises if not pair[2]), key=lambda each: -each[1])[:most]
    answers = _answers(model, tokenizer, [rows[index] for index, _surprise, _same in chosen], step)
    return [
        Disbelief(index, round(surprise, 3), text)
        for (index, surprise, _same), text in zip(chosen, answers, strict=True)
    ]


def _surprises(model: Any, tokenizer: Any, rows: Rows, step: Step) -> Iterator[tuple[int, float, bool]]:
    """(index, nats, whether a greedy answer would be the row's) of every row; rows of like length go together."""
    coded = [_coded(tokenizer, row) for row in rows]
    sizes = [len(prompt) + len(answer) for prompt, answer in coded]
    most = min(LONGEST, getattr(model.config, "max_position_embeddings", None) or LONGEST)
    order = sorted((index for index, size in enumerate(sizes) if size <= most), key=sizes.__getitem__)
    for start in range(0, len(order), BATCH):
        step()
        indices = order[start : start + BATCH]
        for index, (nats, same) in zip(indices, _scored(model, [coded[index] for index in indices]), strict=True):
            yield index, nats, same


def _coded(tokenizer: Any, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Tokens of the prompt as rendered, and of the answer with its end of turn."""
    answer = str(row["completion"][-1].get("content") or "") + (tokenizer.eos_token or "")
    texts = [rendered(tokenizer, row["prompt"]), answer]
    prompt, completion = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return prompt, completion


def _scored(model: Any, coded: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
    """Right-padded forward pass; only the answer's positions go through the language-model head."""
    with torch.inference_mode():
        nats, same = _forward(model, coded)
    sizes = [len(answer) for _prompt, answer in coded]
    return [(n.sum().item(), bool(s.all())) for n, s in zip(nats.split(sizes), same.split(sizes), strict=True)]


def _forward(model: Any, coded: list[tuple[list[int], list[int]]]) -> tuple[Any, Any]:
    """Nats of every answer token of the batch, and whether it is the likeliest one."""
    longest = max(len(prompt) + len(answer) for prompt, answer in coded)
    tokens = torch.zeros(len(coded), longest, dtype=torch.long)
    mask, answers = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    for place, (prompt, answer) in enumerate(coded):
        end = len(prompt) + len(answer)
        tokens[place, :end], mask[place, :end] = torch.tensor(prompt + answer), 1
        answers[place, len(prompt) : end] = True
    tokens, mask, wanted = (each.to(model.device) for each in (tokens, mask, answers[:, 1:]))
    states = model.base_model(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
    scores = model.get_output_embeddings()(states[wanted]).float().log_softmax(-1)
    right = tokens[:, 1:][wanted]
    return -scores.gather(-1, right[:, None])[:, 0], scores.argmax(-1) == right


def _answers(model: Any, tokenizer: Any, rows: Rows, step: Step) -> Iterator[str]:
    for start in range(0, len(rows), ANSWERS_AT_ONCE):
        step()
        part = rows[start : start + ANSWERS_AT_ONCE]
        longest = max(len(tokenizer(str(row["completion"][-1].get("content") or ""))["input_ids"]) for row in part)
        prompts = [row["prompt"] for row in part]
        yield from (answer.text for answer in greedy(model, tokenizer, prompts, min(longest + 8, 256)))
