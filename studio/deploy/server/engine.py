"""Engine: transformers' continuous batching behind one async generator of tokens."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.deploy.server.cache import PAGE_TOKENS, PREFILL_TOKENS, cache_tokens, free_bytes, kv_bytes
from studio.deploy.server.errors import failed, invalid, overloaded
from studio.deploy.server.pick import Pick
from studio.deploy.server.sampling import Sampling
from studio.deploy.server.spell import Text, Token

LATE_OUTPUT_S = 5.0
USUAL_LIMIT = 4096


@dataclass(frozen=True)
class Options:
    """What the operator may set."""

    threads: int = 1
    max_total_tokens: int = 0
    """Prompt and answer together; 0 means the model's own limit, at most 4096."""
    max_concurrent: int = 128


class Ticket:
    """One request on its way through the server: what it asks, and when it got how far."""

    def __init__(self, ids: list[int], sampling: Sampling, arrived: float) -> None:
        self.ids, self.sampling, self.arrived = ids, sampling, arrived
        self.pick = Pick(sampling, ids)
        self.queued = time.perf_counter()

    @property
    def validation_s(self) -> float:
        """From its arrival until it was found answerable."""
        return self.queued - self.arrived

    @property
    def queue_s(self) -> float:
        """From then until the engine began to work on it."""
        return max(0.0, self.pick.started - self.queued) if self.pick.started else 0.0


class Engine:
    """Loads a model folder and answers many requests in one batch."""

    def __init__(self, folder: Path, options: Options) -> None:
        import torch

        from studio.deploy.server.loading import load_model, load_tokenizer
        from studio.deploy.server.sampler import Sampler

        torch.set_num_threads(options.threads)
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Any = load_tokenizer(folder)
        self.model: Any = load_model(folder, self.device)
        self.config: Any = self.model.config.get_text_config()
        self.max_total = options.max_total_tokens or min(own_limit(self.config), USUAL_LIMIT)
        self.ends = end_tokens(self.model.generation_config.eos_token_id, self.tokenizer.eos_token_id)
        self.text = Text(self.tokenizer)
        self._picks: set[Pick] = set()
        self._sampler = Sampler()
        self._manager = self._start()

    @property
    def alive(self) -> bool:
        """Whether the batching thread runs."""
        return bool(self._manager.is_running()) and self._manager.background_thread_status.fatal_error is None

    @property
    def running(self) -> int:
        """Requests in the server."""
        return len(self._picks)

    @property
    def waiting(self) -> int:
        """Those of them the engine has not begun yet."""
        return sum(1 for pick in self._picks if not pick.started)

    def stop(self) -> None:
        """End the batching thread; requests still in it fail."""
        self._manager.stop(block=True, timeout=5, hard_stop=True)

    def check(self, ids: list[int], sampling: Sampling, count: int = 1) -> None:
        """Refuse what cannot be answered, before the first byte of an answer."""
        room, asked = self.max_total - len(ids), sampling.max_new_tokens
        if not ids:
            raise invalid("`inputs` cannot be empty")
        if room <= 0:
            raise invalid(f"`inputs` must have less than {self.max_total} tokens. Given: {len(ids)}")
        if asked is not None and asked > room:
            given = f"Given: {len(ids)} `inputs` tokens and {asked} `max_new_tokens`"
            raise invalid(f"`inputs` tokens + `max_new_tokens` must be <= {self.max_total}. {given}")
        if any(not 0 <= token < self.config.vocab_size for token in sampling.logit_bias):
            raise invalid(f"`logit_bias` names a token that is not one of the model's {self.config.vocab_size}")
        if self.running + count > self.options.max_concurrent:
            raise overloaded()

    async def generate(self, ticket: Ticket) -> AsyncGenerator[list[Token]]:
        """The answer's tokens, as many at a time as there are. Closing the generator cancels the request."""
        self.check(ticket.ids, ticket.sampling)
        pick, request = ticket.pick, uuid.uuid4().hex
        self._picks.add(pick)
        finished = False
        try:
            self._submit(request, ticket)
            speller = self.text.speller(ticket.sampling, self.ends, self._limit(ticket))
            while not finished:
                await pick.news.wait()
                pick.news.clear()
                tokens = speller.read(pick)
                if tokens:
                    finished = tokens[-1].finish is not None
                    yield tokens
                elif pick.error:
                    raise failed(pick.error)
        finally:
            self._picks.discard(pick)
            if not finished or tokens[-1].finish == "stop_sequence":
                self._cancel(request)

    def _limit(self, ticket: Ticket) -> int:
        return ticket.sampling.max_new_tokens or self.max_total - len(ticket.ids)

    def _submit(self, request: str, ticket: Ticket) -> None:
        self._sampler.loop = asyncio.get_running_loop()
        self._manager.register_result_handler(request, partial(_ended, ticket.pick))
        accepted = self._manager.add_request(
            ticket.ids,
            request_id=request,
            max_new_tokens=self._limit(ticket),
            eos_token_id=self.ends,
            pick=ticket.pick,
        )
        if accepted is None:
            raise failed("the server is stopping or its engine has died")

    def _cancel(self, request: str) -> None:
        self._manager.cancel_request(request)
        # A step under way may still deliver for it; without a handler that would pile up in a shared queue.
        handlers = self._manager.output_router.result_handlers
        asyncio.get_running_loop().call_later(LATE_OUTPUT_S, handlers.pop, request, None)

    def _start(self) -> Any:
        from transformers import ContinuousBatchingConfig, GenerationConfig

        # The engine itself takes the highest score; what that is, the sampler decides. It is Python and needs each
        # token before the next step, so graphs of device calls and steps in advance are out of the question.
        plain = GenerationConfig(
            do_sample=False,
            max_new_tokens=128,
            eos_token_id=self.ends,
            pad_token_id=self.model.generation_config.pad_token_id,
        )
        batching = ContinuousBatchingConfig(
            page_size=PAGE_TOKENS,
            num_blocks=self._cache_tokens() // PAGE_TOKENS,
            max_batch_tokens=PREFILL_TOKENS,
            max_requests_per_batch=self.options.max_concurrent,
            use_async_batching=False,
            use_cuda_graph=False,
        )
        manager = self.model.init_continuous_batching(generation_config=plain, continuous_batching_config=batching)
        manager.logit_processor = self._sampler
        manager.start()
        return manager

    def _cache_tokens(self) -> int:
        weight = self.model.dtype.itemsize
        return cache_tokens(free_bytes(self.device), self.device, kv_bytes(self.config, weight), weight, self.max_total)


def _ended(pick: Pick, output: Any) -> None:
    if output.error:
        pick.fail(output.error)


def end_tokens(configured: int | list[int] | None, own: int | None) -> list[int]:
    """The tokens that end an answer: the model's, or else the tokenizer's."""
    ends = own if configured is None else configured
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def own_limit(config: Any) -> int:
    """The longest text the model was built for."""
    return int(getattr(config, "max_position_embeddings", None) or USUAL_LIMIT)
