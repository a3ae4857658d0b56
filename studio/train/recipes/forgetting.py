"""The forgetting guard: what the base and the tuned model answer to rows of other tasks that must keep working."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.train import recipe as recipes
from studio.train.measures import first_metric, measure, paired, scorers_of, values_of
from studio.train.recipes.answers import MORE_TOKENS, MOST_TOKENS, can_be_asked, expected
from studio.train.recipes.generate import greedy
from studio.train.recipes.setup import Rows, read_rows

MOST_ROWS, ROWS_AT_ONCE = 200, 16


def guard(folder: Path) -> dict[str, Any]:
    """Scores of base and merged model on keep.jsonl with the interval of their difference; {} without such rows.

    Greedy answers, wholly right or not, whatever the run's own task is scored by.
    """
    rows = [
        row
        for row in read_rows(folder / recipes.DATA / recipes.KEEP)[:MOST_ROWS]
        if can_be_asked(row) and expected(row)
    ]
    if not rows:
        return {}
    wanted, scorers = [expected(row) for row in rows], scorers_of({})
    before, after = (_answered(folder / name, rows, wanted) for name in (recipes.BASE, recipes.MERGED))
    told = {"before": measure(scorers, before, wanted), "after": measure(scorers, after, wanted)}
    metric = first_metric(told["after"])
    values = [values_of(scorers, answers, wanted, metric) for answers in (after, before)]
    return {**told, "difference": paired(*values) | {"metric": metric}}


def _answered(model: Path, rows: Rows, wanted: list[str]) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype="auto").eval()
    longest = max(len(tokenizer(text)["input_ids"]) for text in wanted) + MORE_TOKENS
    texts: list[str] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        prompts = [row["prompt"] for row in rows[start : start + ROWS_AT_ONCE]]
        texts += [answer.text for answer in greedy(loaded, tokenizer, prompts, min(MOST_TOKENS, longest))]
    return texts
