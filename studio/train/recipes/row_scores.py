"""How a trained folder does on each row of a file: mean loss per learned token, and whether it is wholly right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional

from studio.train import recipe as recipes
from studio.train.recipes import loading
from studio.train.recipes.setup import Setup, load
from studio.train.recipes.trainers import trainer_kind

BATCH, IGNORED = 16, -100


def row_scores(folder: Path, name: str) -> list[dict[str, float]]:
    """`exact` (1 or 0) and `loss` of every row of the data file, by the folder's trained model."""
    setup = load(folder, trainer_kind(recipes.read_studio(folder)["trainer"]).config)
    tokenizer, model = setup.tokenizer(), _trained(setup)
    rows = [_ids(tokenizer, row, setup.training.max_length) for row in setup.rows(name)]
    found: list[dict[str, float]] = []
    for start in range(0, len(rows), BATCH):
        found += _scored(model, rows[start : start + BATCH], tokenizer.pad_token_id or 0)
    return found


def _trained(setup: Setup) -> Any:
    merged = setup.folder / recipes.MERGED
    if merged.exists():
        return type(loading.causal(setup)).from_pretrained(merged).eval()
    return PeftModel.from_pretrained(loading.causal(setup), setup.folder / recipes.ADAPTER).eval()


def _ids(tokenizer: Any, row: dict[str, Any], limit: int | None) -> tuple[list[int], list[int]]:
    """Token ids and labels; a row that is cut keeps what fits."""
    asked = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=True, return_dict=False)
    whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=True, return_dict=False)
    labels = [IGNORED] * len(asked) + whole[len(asked) :]
    return whole[:limit], labels[: len(whole)][:limit]


def _scored(model: Any, rows: list[tuple[list[int], list[int]]], pad: int) -> list[dict[str, float]]:
    longest = max(len(ids) for ids, _labels in rows)
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row, _labels in rows])
    labels = torch.tensor([row + [IGNORED] * (longest - len(row)) for _ids, row in rows])[:, 1:]
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _labels in rows])
    with torch.inference_mode():
        scores = (
            model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits[:, :-1].float().cpu()
        )
    learned = labels != IGNORED
    right = ((scores.argmax(-1) == labels) | ~learned).all(dim=1) & learned.any(dim=1)
    losses = functional.cross_entropy(scores.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    means = losses.sum(dim=1) / learned.sum(dim=1).clamp(min=1)
    return [{"exact": float(a), "loss": float(b)} for a, b in zip(right.tolist(), means.tolist(), strict=True)]
