"""The torch half of a rehearsal: the real trainer on a few rows, looked at before and timed for a few micro-steps."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import TrainerCallback

from studio.train import recipe as recipes
from studio.train.failures.signs import is_out_of_memory
from studio.train.recipes import loading, token_view
from studio.train.recipes.callbacks import peak_memory_mb
from studio.train.recipes.generate import Answer, greedy
from studio.train.recipes.process import cores
from studio.train.recipes.setup import Rows, Setup, load
from studio.train.recipes.trainers import trainer_kind
from studio.train.recipes.trainers.grouping import row_lengths

SHOWN_ROWS = 8
BUDGET_S = 20.0
"""No further micro-step is begun after this."""
WRITTEN_ROWS, WRITTEN_TOKENS = 16, 13
END_WITHIN = 3
"""Templates write the end of an answer and perhaps a line break; the stop must be among the last tokens."""


def rehearse(folder: Path, stop_asked: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Build the folder's trainer, look at its rows and let it do its few steps. Keeps nothing it learned."""
    torch.set_num_threads(cores())
    kind = trainer_kind(recipes.read_studio(folder)["trainer"])
    setup = load(folder, kind.config)
    watch = Stopwatch(stop_asked)
    raw, tokenizer = setup.rows(recipes.TRAIN), setup.tokenizer()
    sizes = [_sizes(tokenizer, row) for row in raw]
    found: dict[str, Any] = {"counts": counts(sizes, limit_of(setup)), "device": str(setup.training.device.type)}
    if raw and found["counts"]["dropped"] == len(raw):
        return found | {"rows": [], "rendered": "", "stops": stops_of(tokenizer, None)}
    try:
        trainer = watch.trainer = kind.build(setup, [watch])
        found |= _looked_at(setup, trainer, tokenizer, sizes)
        trainer.train()
        _hardest(trainer)
        found |= _writing(trainer, tokenizer, raw)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        found["out_of_memory"] = True
    return found | watch.told() | {"peak_memory_mb": peak_memory_mb()}


class Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Times each step, counts its tokens and notices losses that are not numbers."""

    def __init__(self, stop_asked: Callable[[], bool] = lambda: False) -> None:
        self.stop_asked, self.trainer = stop_asked, None
        self.seconds: list[float] = []
        self.tokens: list[int] = []
        self.losses: list[float] = []
        self._began = self._first = 0.0
        self._before = 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the watch."""
        self._began, self._before = time.monotonic(), self._count()
        self._first = self._first or self._began

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the watch; and the rehearsal, when its time is up or somebody asked."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.monotonic()
        self.seconds.append(now - self._began)
        self.tokens.append(self._count() - self._before)
        if self.stop_asked() or now - self._first > BUDGET_S:
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Keep the losses."""
        if logs and isinstance(logs.get("loss"), int | float):
            self.losses.append(float(logs["loss"]))

    def told(self) -> dict[str, Any]:
        """Seconds of a step and tokens per second, the first step (which warms up) left out where there are others."""
        seconds, tokens = (values[1:] or values for values in (self.seconds, self.tokens))
        if not seconds:
            return {}
        finite = all(map(math.isfinite, self.losses))
        facts = {"steps": len(self.seconds), "step_s": round(median(seconds), 4), "finite": finite}
        rate = sum(tokens) / max(sum(seconds), 1e-9)
        return facts | ({"tokens_per_second": round(rate, 1)} if rate else {})

    def _count(self) -> int:
        trainer: Any = self.trainer
        return int(getattr(trainer, "_total_train_tokens", 0) or trainer.state.num_input_tokens_seen)


def limit_of(setup: Setup) -> int | None:
    """Tokens after which a row is cut; None where nothing is."""
    found = getattr(setup.training, "max_length", None)
    return int(found) if found else None


def counts(sizes: list[tuple[int, int]], limit: int | None) -> dict[str, int]:
    """Rows by what becomes of them: cut, and left without anything to learn, so that the trainer drops them."""
    truncated = sum(whole > limit for _prompt, whole in sizes) if limit else 0
    masked = sum(prompt >= limit for prompt, _whole in sizes) if limit else 0
    return {"rows": len(sizes), "truncated": truncated, "fully_masked": masked, "dropped": masked}


def stops_of(tokenizer: Any, model: Any) -> list[str]:
    """What a server stops at, as text."""
    config = getattr(model, "generation_config", None)
    ends = getattr(config, "eos_token_id", None)
    listed = ends if isinstance(ends, list) else [ends]
    ids = [end for end in listed if end is not None] or [tokenizer.eos_token_id]
    return [str(tokenizer.convert_ids_to_tokens(end)) for end in ids if end is not None]


def _looked_at(setup: Setup, trainer: Any, tokenizer: Any, sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """The first rows token by token, the whole first one as text, and how answers end."""
    limit, prepared = limit_of(setup), list(trainer.train_dataset)
    whole = [size for size in sizes if not limit or size[0] < limit]
    in_order = len(whole) == len(prepared)
    rows: list[dict[str, Any]] = []
    unended = masked = 0
    stops = stops_of(tokenizer, trainer.model)
    ids = set(tokenizer.convert_tokens_to_ids(stops))
    for place, row in enumerate(prepared):
        cut = bool(limit and in_order and whole[place][1] > limit)
        for seen in token_view.seen_in(row, limit):
            unended += not cut and not ids & set(seen.answer[-END_WITHIN:])
            masked += not seen.answer
            if len(rows) < SHOWN_ROWS:
                rows.append(token_view.shown(tokenizer, seen, cut))
    rows = rows or _prompts(setup, tokenizer)
    found = {"rows": rows, "stops": stops, "unended": unended, "nothing_learned": masked}
    rendered = "".join(token["text"] for token in rows[0]["tokens"]) if rows else ""
    facts = {"prepared": len(prepared), "rendered": rendered, "picked": getattr(trainer, "picked", [])}
    judging = setup.studio["trainer"] in ("grpo", "reward")
    return found | facts | {"quantized": loading.is_quantised(setup), "ends_matter": not judging}


def _prompts(setup: Setup, tokenizer: Any) -> list[dict[str, Any]]:
    """Rows of a method that writes its own answers: prompts only, nothing marked as learned."""
    found = []
    for row in setup.rows(recipes.TRAIN)[:SHOWN_ROWS]:
        ids = _ids(tokenizer, row["prompt"], row, add_generation_prompt=True)
        found.append(token_view.shown(tokenizer, token_view.Seen(ids, [False] * len(ids)), cut=False))
    return found


def _hardest(trainer: Any) -> None:
    """One more pass over the longest rows: if memory runs out, it runs out here and not after an hour."""
    data = trainer.train_dataset
    if "prompt" in data.column_names or trainer.args.n_gpu > 1:  # prompts of a method that writes its own answers
        return
    lengths = row_lengths(data)
    longest = sorted(range(len(lengths)), key=lambda row: -lengths[row])[: trainer.args.per_device_train_batch_size]
    batch = trainer.data_collator([data[row] for row in longest])
    trainer.model.train()
    trainer.training_step(trainer.model, trainer._prepare_inputs(batch))
    trainer.model.zero_grad()


def _writing(trainer: Any, tokenizer: Any, rows: Rows) -> dict[str, float]:
    """Seconds to write one token of every answer in a batch: what watching real answers costs."""
    prompts = [row["prompt"] for row in rows[:WRITTEN_ROWS] if isinstance(row["prompt"], list)]
    if not prompts or not hasattr(trainer.model, "generate"):
        return {}
    greedy(trainer.model, tokenizer, prompts, 1)  # the first call warms up
    (_, reading), (answers, both) = (
        _timed(trainer.model, tokenizer, prompts, length) for length in (1, WRITTEN_TOKENS)
    )
    written = min(WRITTEN_TOKENS - 1, max(len(answer.tokens) for answer in answers))
    return {"write_step_s": round(max(both - reading, 0.0) / written, 5)} if written else {}


def _timed(model: Any, tokenizer: Any, prompts: list[Rows], length: int) -> tuple[list[Answer], float]:
    began = time.monotonic()
    return greedy(model, tokenizer, prompts, length), time.monotonic() - began


def _sizes(tokenizer: Any, row: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt, and of the row with its longest answer."""
    prompt = row["prompt"]
    if not isinstance(prompt, list):
        return 0, 0
    answers = [row[name] for name in ("completion", "chosen", "rejected") if isinstance(row.get(name), list)]
    asked = len(_ids(tokenizer, prompt, row, add_generation_prompt=True))
    return asked, max((len(_ids(tokenizer, [*prompt, *answer], row)) for answer in answers), default=asked)


def _ids(tokenizer: Any, messages: Rows, row: dict[str, Any], **more: Any) -> list[int]:
    tools = json.loads(row["tools"]) if isinstance(row.get("tools"), str) else None
    ids: list[int] = tokenizer.apply_chat_template(messages, tools=tools, tokenize=True, return_dict=False, **more)
    return ids
