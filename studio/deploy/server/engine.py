"""Engine: transformers' continuous batching behind one async generator of tokens."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.deploy.server.errors import WireError, failed, invalid, overloaded
from studio.deploy.server.text import TextBuilder
from studio.deploy.server.wire import Sampling

PAGE_TOKENS = 32
PREFILL_TOKENS = 1024
CACHE_BYTES = 1 << 30
LATE_OUTPUT_S = 5.0


@dataclass(frozen=True)
class Options:
    """What the operator may set."""

    threads: int = 1
    max_total_tokens: int = 0
    """Prompt and answer together; 0 means the model's own limit, at most 4096."""
    max_concurrent: int = 128


@dataclass(frozen=True)
class Token:
    """One generated token. The last one has `finish`: length, eos_token or stop_sequence."""

    id: int
    text: str
    logprob: float
    """Of the scores after temperature and cut-offs; 0 when greedy."""
    special: bool
    index: int
    whole: str
    """All text so far, special tokens left out."""
    finish: str | None


class Engine:
    """Loads a model folder and answers many requests in one batch."""

    def __init__(self, folder: Path, options: Options) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        torch.set_num_threads(options.threads)
        torch.set_grad_enabled(False)
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").to(self.device).eval()
        self.config: Any = self.model.config.get_text_config()
        self.max_total = options.max_total_tokens or min(self._own_limit(), 4096)
        self.ends = _end_tokens(self.model.generation_config.eos_token_id, self.tokenizer.eos_token_id)
        self.specials = set(self.tokenizer.all_special_ids)
        self.running = 0
        self._manager = self._start()

    @property
    def alive(self) -> bool:
        """Whether the batching thread runs."""
        return bool(self._manager.is_running()) and self._manager.background_thread_status.fatal_error is None

    def stop(self) -> None:
        """End the batching thread; requests still in it fail."""
        self._manager.stop(block=True, timeout=5)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The text's token ids."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        return ids

    def spans(self, text: str, add_special_tokens: bool = True) -> list[dict[str, Any]]:
        """The text's tokens with their places in it."""
        found = self.tokenizer(text, add_special_tokens=add_special_tokens, return_offsets_mapping=True)
        pairs = zip(found["input_ids"], found["offset_mapping"], strict=True)
        return [{"id": token, "text": text[start:stop], "start": start, "stop": stop} for token, (start, stop) in pairs]

    def render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> str:
        """The conversation through the model's chat template, ready for its answer."""
        if not messages:
            raise invalid("`messages` cannot be empty")
        if not self.tokenizer.chat_template:
            raise WireError(422, "Template error: template not found", "template_error")
        try:
            # As in training: a model that may think aloud was taught to answer at once.
            text: str = self.tokenizer.apply_chat_template(
                messages, tools=tools, add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except Exception as error:  # a template is a program of the model's author: it may raise anything
            raise WireError(422, f"Template error: {error}", "template_error") from error
        return text

    def check(self, ids: list[int], sampling: Sampling) -> None:
        """Refuse what cannot be answered, before the first byte of an answer."""
        room, asked = self.max_total - len(ids), sampling.max_new_tokens
        if not ids:
            raise invalid("`inputs` cannot be empty")
        if room <= 0:
            raise invalid(f"`inputs` must have less than {self.max_total} tokens. Given: {len(ids)}")
        if asked is not None and asked > room:
            given = f"Given: {len(ids)} `inputs` tokens and {asked} `max_new_tokens`"
            raise invalid(f"`inputs` tokens + `max_new_tokens` must be <= {self.max_total}. {given}")
        if self.running >= self.options.max_concurrent:
            raise overloaded()

    async def generate(self, ids: list[int], sampling: Sampling) -> AsyncGenerator[Token]:
        """The answer's tokens as they come. Closing the generator cancels the request."""
        self.check(ids, sampling)
        self.running += 1
        outputs: asyncio.Queue[Any] = asyncio.Queue()
        request = uuid.uuid4().hex
        finished = False
        try:
            self._submit(request, outputs, ids, sampling)
            async with aclosing(self._tokens(outputs, sampling.stop)) as tokens:
                async for token in tokens:
                    finished = token.finish in ("length", "eos_token")
                    yield token
        finally:
            self.running -= 1
            if not finished:
                self._cancel(request)

    def _submit(self, request: str, outputs: asyncio.Queue[Any], ids: list[int], sampling: Sampling) -> None:
        self._manager.register_result_handler(request, outputs.put_nowait)
        accepted = self._manager.add_request(
            ids,
            request_id=request,
            max_new_tokens=sampling.max_new_tokens or self.max_total - len(ids),
            streaming=True,
            eos_token_id=self.ends,
            temperature=float(sampling.temperature),
            top_k=min(sampling.top_k, int(self.config.vocab_size)),
            top_p=float(sampling.top_p),
        )
        if accepted is None:
            raise failed("the server is stopping or its engine has died")

    async def _tokens(self, outputs: asyncio.Queue[Any], stops: tuple[str, ...]) -> AsyncGenerator[Token]:
        builder, seen = TextBuilder(self._decode), 0
        while True:
            output = await outputs.get()
            if output.error:
                raise failed(output.error)
            fresh = output.generated_tokens[seen:]
            for place, token in enumerate(fresh):
                last = output.is_finished() and place == len(fresh) - 1
                piece = builder.add(token, last)
                finish = self._finish(token, builder.text, stops, last)
                logprob = output.logprobs[seen + place] if seen + place < len(output.logprobs) else 0.0
                special = token in self.specials
                yield Token(token, piece, logprob, special, seen + place + 1, builder.text, finish)
                if finish:
                    return
            seen += len(fresh)

    def _finish(self, token: int, text: str, stops: tuple[str, ...], last: bool) -> str | None:
        if token in self.ends:
            return "eos_token"
        if any(stop in text for stop in stops):
            return "stop_sequence"
        return "length" if last else None

    def _cancel(self, request: str) -> None:
        self._manager.cancel_request(request)
        # A step under way may still deliver for it; without a handler that would pile up in a shared queue.
        handlers = self._manager.output_router.result_handlers
        asyncio.get_running_loop().call_later(LATE_OUTPUT_S, handlers.pop, request, None)

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _own_limit(self) -> int:
        return int(getattr(self.config, "max_position_embeddings", None) or 4096)

    def _start(self) -> Any:
        from transformers import ContinuousBatchingConfig, GenerationConfig

        # Not 1.0: with that, no processor would be made and per-request values would be refused.
        defaults = GenerationConfig(
            do_sample=True,
            temperature=0.99,
            top_k=50,
            top_p=0.99,
            max_new_tokens=128,
            eos_token_id=self.ends,
            pad_token_id=self.model.generation_config.pad_token_id,
        )
        batching = ContinuousBatchingConfig(
            page_size=PAGE_TOKENS,
            num_blocks=self._cache_tokens() // PAGE_TOKENS,
            max_batch_tokens=PREFILL_TOKENS,
            per_request_processors=True,
            return_logprobs=True,
        )
        manager = self.model.init_continuous_batching(generation_config=defaults, continuous_batching_config=batching)
        manager.start()
        return manager

    def _cache_tokens(self) -> int:
        """As many tokens as fit 1 GiB, at least one full request and at most 32 768."""
        heads = getattr(self.config, "num_key_value_heads", None) or self.config.num_attention_heads
        width = getattr(self.config, "head_dim", None) or self.config.hidden_size // self.config.num_attention_heads
        per_token = 2 * self.config.num_hidden_layers * heads * width * self.model.dtype.itemsize
        room = min(CACHE_BYTES // per_token, 32768)
        return int(max(room, self.max_total + 2 * PAGE_TOKENS, 64 * PAGE_TOKENS))


def _end_tokens(configured: int | list[int] | None, own: int | None) -> list[int]:
    ends = own if configured is None else configured
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
