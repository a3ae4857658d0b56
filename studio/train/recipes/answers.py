"""What the model says while it learns: answers to golden rows, scored, and a few shown beside the expected ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback

from studio.train.events import EventLog
from studio.train.measures import EXACT, first_metric, measure, scorers_of, values_of
from studio.train.recipes.generate import can_read, greedy
from studio.train.recipes.halt import Stopped
from studio.train.recipes.setup import Rows

MOST_TOKENS, MORE_TOKENS = 256, 8
"""Tokens an answer may go on after the longest expected one ends: by then it is wrong, and time is saved."""
ROWS_PER_BATCH = 9
"""Rows answered at once, per row of an evaluation's batch: generating needs less memory than scoring every token."""
MOST_ROWS, MOST_AT_ONCE = 64, 72
"""Golden rows answered, and rows at once: those and the few that are shown fit into one batch."""


class Answers(TrainerCallback):  # type: ignore[misc]
    """Generates greedily at every evaluation (no randomness is drawn, so a resumed run stays equal).

    Golden rows are only watched. Held-out rows give the task's score when the task is not plain "wholly right".
    """

    def __init__(
        self, events: EventLog, golden: Rows, held_out: Rows, studio: dict[str, Any], stop: Callable[[], bool]
    ) -> None:
        self.events, self.stop = events, stop
        self.task, self.limit = studio["task"] or {"name": EXACT}, studio["max_new_tokens"] or MOST_TOKENS
        self.scorers = scorers_of(self.task)
        self.shown = studio["samples"]
        self.golden = [row for row in golden[:MOST_ROWS] if can_be_asked(row) and expected(row)]
        asked_of = [row for row in held_out if can_be_asked(row)]
        self.held_out = asked_of[: MOST_ROWS if self.is_judged_by_answers else self.shown]

    @property
    def is_judged_by_answers(self) -> bool:
        """Whether the task's score needs generated answers."""
        return bool(self.task.get("name", EXACT) != EXACT)

    @staticmethod
    def is_sharded(args: Any) -> bool:
        """Whether no process holds the whole model, so that none can generate alone."""
        return bool(args.fsdp or args.deepspeed)

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        """Score the golden rows, show samples, and add the task's score to the evaluation's numbers."""
        rows = [*self.held_out, *self.golden]
        if not rows or args.process_index or self.is_sharded(args):
            return
        if not writes(model):
            self._tell_scores(state.global_step, model, more["processing_class"])
            return
        texts = self._answered(model, more["processing_class"], rows, args)
        told, golden = texts[: len(self.held_out)], texts[len(self.held_out) :]
        self._tell_golden(state.global_step, golden)
        self._tell_samples(state.global_step, told)
        if self.is_judged_by_answers and told and args.world_size == 1:
            measured = measure(self.scorers, told, [expected(row) for row in self.held_out])
            more["metrics"]["eval_task"] = measured[first_metric(measured)]["mean"]

    def _tell_golden(self, step: int, answers: list[str]) -> None:
        if not answers:
            return
        wanted = [expected(row) for row in self.golden]
        measured = measure(self.scorers, answers, wanted)
        each = values_of(self.scorers, answers, wanted, first_metric(measured))
        means = {name: found["mean"] for name, found in measured.items()}
        self.events.emit("golden", step=step, n=len(answers), scores=measured, each=each, **means)

    def _tell_samples(self, step: int, answers: list[str]) -> None:
        for row, answer in list(zip(self.held_out, answers, strict=True))[: self.shown]:
            facts = {"prompt": asked(row), "expected": expected(row), "answer": answer}
            self.events.emit("sample", step=step, **facts)

    def _tell_scores(self, step: int, model: Any, tokenizer: Any) -> None:
        """A judge writes nothing; its scores of a few pairs are shown instead."""
        for row in (each for each in self.held_out[: self.shown] if each.get("chosen")):
            better, worse = (score(model, tokenizer, [*row["prompt"], *row[name]]) for name in ("chosen", "rejected"))
            told = f"{better:+.2f} for the better answer, {worse:+.2f} for the other"
            facts = {"prompt": asked(row), "expected": "a higher score for the better answer", "answer": told}
            self.events.emit("sample", step=step, right=better > worse, **facts)

    def _answered(self, model: Any, tokenizer: Any, rows: Rows, args: Any) -> list[str]:
        """An answer per row; "" to a prompt that the model cannot read whole, which a server would refuse too."""
        length = min(self.limit, _longest(tokenizer, rows))
        size, texts = min(MOST_AT_ONCE, ROWS_PER_BATCH * args.per_device_eval_batch_size), []
        every, rows = rows, [row for row in rows if can_read(model, tokenizer, row["prompt"])]
        for start in range(0, len(rows), size):
            if args.world_size == 1 and self.stop():  # several processes may only leave together
                raise Stopped(saved=False)
            prompts = [row["prompt"] for row in rows[start : start + size]]
            texts += [answer.text for answer in greedy(model, tokenizer, prompts, length)]
        told = {id(row): text for row, text in zip(rows, texts, strict=True)}
        return [told.get(id(row), "") for row in every]


def writes(model: Any) -> bool:
    """Whether the model can answer at all; an adapter claims so for a judge too."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return hasattr(inner, "generate")


def score(model: Any, tokenizer: Any, messages: list[dict[str, Any]]) -> float:
    """What a judge thinks of a conversation."""
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    batch = tokenizer(text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return float(model(**batch.to(model.device)).logits[0, 0])
    finally:
        model.train(was_training)


def expected(row: dict[str, Any]) -> str:
    """The wanted answer of a row of any method, "" where there is none."""
    if row.get("label") is False:
        return ""
    wanted = row.get("completion") or row.get("chosen") or row.get("reference") or ""
    if isinstance(wanted, list):
        return str(wanted[-1].get("content") or "")
    return str(wanted)


def can_be_asked(row: dict[str, Any]) -> bool:
    """Whether a plain text answer is wanted: calls of tools are learned, but not compared as text."""
    wanted = row.get("completion") or [{}]
    return not row.get("tools") and not (isinstance(wanted, list) and wanted[-1].get("tool_calls"))


def asked(row: dict[str, Any]) -> str:
    """The last message of a row's prompt."""
    prompt = row["prompt"]
    return str(prompt[-1].get("content") or "") if isinstance(prompt, list) else str(prompt)


def _longest(tokenizer: Any, rows: Rows) -> int:
    texts = [expected(row) for row in rows]
    return max(len(tokenizer(text)["input_ids"]) for text in texts) + MORE_TOKENS
