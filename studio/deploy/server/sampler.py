"""Sampler: picks the next token of every request in the batch, each by its own rules.

It stands where transformers' list of logits processors stands. Theirs sorts the whole vocabulary twice for every
request, the greedy ones too, and knows temperature, top-k and top-p only. Here a greedy request costs one argmax.
Whatever is picked is given the highest score, and the engine, which takes the highest, follows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from transformers.generation.continuous_batching.cb_logits_processors import ContinuousBatchingLogitsProcessorList
from transformers.generation.logits_process import LogitsProcessorList, TypicalLogitsWarper

from studio.deploy.server.pick import Pick

PICK = "pick"
"""The name under which a request carries its Pick through the engine."""


class Sampler(ContinuousBatchingLogitsProcessorList):  # type: ignore[misc]
    """Only the batching thread calls it: `prepare_tensor_args` before a step, then itself with the step's scores."""

    def __init__(self) -> None:
        super().__init__(LogitsProcessorList())
        self.do_processing = True
        self.loop: asyncio.AbstractEventLoop | None = None
        self._rows: list[Pick] = []

    def check_kwargs(self, kwargs: dict[str, Any]) -> None:
        """Every request has exactly its Pick."""
        if set(kwargs) != {PICK}:
            raise ValueError(f"unknown settings: {sorted(kwargs)}")

    def prepare_tensor_args(self, requests_in_batch: list[Any], arg_storage: Any) -> Any:
        """Note whose tokens the coming step gives."""
        now = time.perf_counter()
        rows = []
        for request in requests_in_batch:
            pick: Pick = request.state.logit_processor_kwargs[PICK]
            if not pick.started:
                pick.started = now
            if request.has_new_token:
                rows.append(pick)
        self._rows = rows
        return arg_storage

    def __call__(self, _input_ids: Any, scores: Any, _arguments: Any) -> Any:
        """Pick, tell who waits, and return scores in which the picked tokens are the highest."""
        rows, scores_of = self._rows, scores[: len(self._rows)]
        known = scores_of.log_softmax(dim=-1) if any(pick.sampling.logprobs for pick in rows) else None
        for place, pick in enumerate(rows):
            if pick.sampling.adjusts:
                _adjust(scores_of[place], pick)
        chosen = scores_of.argmax(dim=-1)
        for places in _alike(rows):
            chosen[places] = _draw(scores_of[places], [rows[place] for place in places])
            scores_of[places, chosen[places]] = torch.inf
        if known is not None:
            _tell(rows, known, chosen)
        for pick, token in zip(rows, chosen.tolist(), strict=True):
            pick.take(token)
        if self.loop is not None:
            self.loop.call_soon_threadsafe(_wake, rows)
        return scores


def _wake(picks: Iterable[Pick]) -> None:
    for pick in picks:
        pick.news.set()


def _tell(picks: Sequence[Pick], known: Any, chosen: Any) -> None:
    """The model's own logarithmic likelihoods: before temperature, penalties and cut-offs."""
    width = max(pick.sampling.top for pick in picks)
    own = known.gather(-1, chosen.unsqueeze(-1)).squeeze(-1).tolist()
    best = [found.tolist() for found in known.topk(min(width, known.shape[-1]), dim=-1)] if width else None
    for place, pick in enumerate(picks):
        pick.logprobs.append(own[place])
        if best is not None:
            values, ids = best
            pick.tops.append(list(zip(ids[place], values[place], strict=True))[: pick.sampling.top])


def _alike(rows: Sequence[Pick]) -> list[list[int]]:
    """Who draws: requests with cut-offs from sorted tokens, the others from unsorted ones, in whatever company."""
    draws = [place for place, pick in enumerate(rows) if not pick.sampling.greedy]
    cut = [place for place in draws if rows[place].sampling.cuts]
    whole = [place for place in draws if not rows[place].sampling.cuts]
    return [places for places in (cut, whole) if places]


def _draw(scores: Any, picks: list[Pick]) -> Any:
    """One token for each row, by the row's own chance, from its temperature's distribution within its cut-offs."""
    temperatures = _column([pick.sampling.temperature for pick in picks], scores)
    scores = scores / temperatures
    order = None
    if picks[0].sampling.cuts:
        scores, order = _cut(scores, picks)
    likelihood = scores.softmax(dim=-1).double().cumsum(dim=-1)
    chances = torch.tensor([[pick.chance()] for pick in picks], dtype=torch.float64, device=scores.device)
    # The first place whose cumulated likelihood passes the chance; a likelihood of 0 is never that place.
    places = torch.searchsorted(likelihood, chances * likelihood[:, -1:], right=True)
    places = places.clamp(max=scores.shape[-1] - 1)
    return (places if order is None else order.gather(-1, places)).squeeze(-1)


def _cut(scores: Any, picks: list[Pick]) -> tuple[Any, Any]:
    """The scores from high to low, those outside the cut-offs at minus infinity, and whose they are."""
    scores, order = scores.sort(dim=-1, descending=True)
    size = scores.shape[-1]
    ranks = torch.arange(size, device=scores.device)
    outside = ranks >= _column([min(pick.sampling.top_k or size, size) for pick in picks], ranks)
    scores = scores.masked_fill(outside, -torch.inf)
    likelihood = scores.softmax(dim=-1)
    before = likelihood.cumsum(dim=-1) - likelihood
    outside = before >= _column([pick.sampling.top_p if pick.sampling.top_p < 1 else 2.0 for pick in picks], scores)
    outside[:, 0] = False
    scores = scores.masked_fill(outside, -torch.inf)
    for place, pick in enumerate(picks):
        if pick.sampling.typical_p < 1:
            scores[place] = TypicalLogitsWarper(pick.sampling.typical_p)(None, scores[place : place + 1])[0]
    return scores, order


def _adjust(row: Any, pick: Pick) -> None:
    """Penalties and biases, on one request's scores in place."""
    asked = pick.sampling
    if asked.repetition_penalty != 1.0:
        ids = torch.tensor(pick.repeated, device=row.device)
        found = row[ids]
        row[ids] = torch.where(found < 0, found * asked.repetition_penalty, found / asked.repetition_penalty)
    if pick.counts and (asked.frequency_penalty or asked.presence_penalty):
        ids = torch.tensor(list(pick.counts), device=row.device)
        counts = torch.tensor(list(pick.counts.values()), dtype=row.dtype, device=row.device)
        row[ids] -= counts * asked.frequency_penalty + asked.presence_penalty
    if asked.logit_bias:
        ids = torch.tensor(list(asked.logit_bias), device=row.device)
        row[ids] += torch.tensor(list(asked.logit_bias.values()), dtype=row.dtype, device=row.device)


def _column(values: list[float] | list[int], like: Any) -> Any:
    return torch.tensor(values, dtype=like.dtype, device=like.device).unsqueeze(-1)
