"""Answers from weights on this machine: a few timed one by one, the rest in length-sorted batches.

torch is imported when a model is opened, which happens only inside a job's own process.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from typing import Any

from storage.tables import Model
from studio.errors import InvalidInput, Unavailable
from studio.evaluate.generators import Answer, Bench, Prompt
from studio.train.data import plain

ROOM = 16
"""Tokens an answer may be longer than the longest reference."""
MOST_NEW_TOKENS = 2048
BATCH_TOKENS = {"cpu": 24_000, "cuda": 96_000}
LARGEST_BATCH = {"cpu": 64, "cuda": 128}
BIG_ON_CPU = 200_000_000
NO_TOOLS = "The example offers tools, which models on this machine are not trained to call yet."


class LocalGenerator:
    """A base or tuned model, loaded once and asked greedily."""

    def __init__(self, model: Model, bench: Bench) -> None:
        self.timed = bench.timed
        self.model, self.tokenizer = _load(model, bench)
        longest = len(self.tokenizer(bench.longest_answer, add_special_tokens=False)["input_ids"])
        self.room = min(longest + ROOM, MOST_NEW_TOKENS)
        self.context = int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30)

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Answer]]:
        """Answers: first those that cannot be asked, then the timed ones, then the batches."""
        lengths = {prompt.example_id: self._tokens(prompt) for prompt in prompts}
        asked = []
        for prompt in prompts:
            refusal = self._refusal(prompt, lengths[prompt.example_id])
            if refusal:
                yield prompt, Answer(error=refusal)
            else:
                asked.append(prompt)
        if asked and self.timed:
            self._ask(asked[:1])  # the first call of a process also compiles and allocates
        yield from (pair for prompt in asked[: self.timed] for pair in self._ask([prompt], timed=True))
        rest = sorted(asked[self.timed :], key=lambda prompt: lengths[prompt.example_id])
        for start, size in self._batches([lengths[prompt.example_id] for prompt in rest]):
            yield from self._ask(rest[start : start + size])

    def close(self) -> None:
        """Free the weights before the next model is loaded."""
        import torch

        del self.model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _ask(self, prompts: list[Prompt], timed: bool = False) -> list[tuple[Prompt, Answer]]:
        from studio.train.recipes.generate import greedy

        started = time.perf_counter()
        said = greedy(self.model, self.tokenizer, [plain(prompt.messages) for prompt in prompts], self.room)
        took = (time.perf_counter() - started) * 1000 if timed else 0.0
        return [
            (prompt, Answer(each.text, None, took, self._tokens(prompt), len(each.tokens)))
            for prompt, each in zip(prompts, said, strict=True)
        ]

    def _tokens(self, prompt: Prompt) -> int:
        from studio.train.recipes.generate import rendered

        text = rendered(self.tokenizer, plain(prompt.messages))
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _refusal(self, prompt: Prompt, tokens: int) -> str | None:
        if prompt.tools:
            return NO_TOOLS
        if tokens + self.room > self.context:
            return f"The prompt has {tokens:,} tokens and the model reads {self.context:,} with its answer."
        return None

    def _batches(self, lengths: list[int]) -> Iterator[tuple[int, int]]:
        """(start, size) of batches within the memory budget; lengths ascend, so a batch's last is its longest."""
        device = self.model.device.type
        most = LARGEST_BATCH.get(device, 8)
        if device == "cpu" and self.model.num_parameters() > BIG_ON_CPU:
            most = 8
        start = 0
        while start < len(lengths):
            size = 1
            while start + size < len(lengths) and size < most:
                if (size + 1) * (lengths[start + size] + self.room) > BATCH_TOKENS.get(device, 8_000):
                    break
                size += 1
            yield start, size
            start += size


def _load(model: Model, bench: Bench) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, options = _weights(model, bench)
    on_gpu = torch.cuda.is_available()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        loaded = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.bfloat16 if on_gpu else torch.float32, **options
        )
    except (OSError, ValueError) as error:
        raise Unavailable(f"The weights of {model.name} cannot be loaded: {str(error).splitlines()[0]}") from error
    return loaded.to("cuda" if on_gpu else "cpu").eval(), tokenizer


def _weights(model: Model, bench: Bench) -> tuple[str, dict[str, Any]]:
    if model.digest:
        folder = bench.settings.root / "cache" / "models" / model.digest
        return str(bench.artifacts.checkout(model.digest, folder)), {"local_files_only": True}
    if model.hub_id:
        return model.hub_id, {"revision": model.hub_revision or None}
    raise InvalidInput(f"{model.name} has no weights. Train it again, or choose another model.")
