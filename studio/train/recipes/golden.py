"""The answers that prove later which weights a server serves: fifty prompts, by the tuned model and by its base.

Beside each answer stands where the tuned model was undecided: a server with another precision or other kernels may say
something else there, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.train.recipes.generate import can_read, end_tokens, greedy_settings, padded, rendered

GOLDEN_TOKENS = 16
BATCH = 8
TIE = 0.25
"""A token this close to the most likely one (in standard deviations of all scores) may win under other rounding."""
BUDGET_S = 120.0
"""A big model on a small machine records fewer prompts, not for longer."""
AT_LEAST = 3

Messages = list[dict[str, Any]]


@dataclass
class Recorded:
    """One greedy answer, and how sure the model was of each token."""

    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    margins: list[float] = field(default_factory=list)
    rivals: dict[int, list[int]] = field(default_factory=dict)


def golden_prompts(base: Path, tuned: Path, prompts: list[Messages]) -> dict[str, Any]:
    """The first greedy tokens of the tuned model and of its base on the prompts that fit its context."""
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    model = _loaded(tuned)
    ends = sorted(end_tokens(model, tokenizer))
    prompts = [messages for messages in prompts if can_read(model, tokenizer, messages, GOLDEN_TOKENS)]
    ours = list(answers(model, tokenizer, prompts))
    del model
    theirs = list(answers(_loaded(base), tokenizer, prompts[: len(ours)]))
    rows = zip(prompts, ours, theirs, strict=False)  # whichever model ran out of its time first
    return {"ends": ends, "tie": TIE, "prompts": [_row(tokenizer, *each) for each in rows]}


def answers(model: Any, tokenizer: Any, prompts: list[Messages]) -> Iterator[Recorded]:
    """Greedy answers, a batch at a time, until the time is up."""
    started = time.monotonic()
    for first in range(0, len(prompts), BATCH):
        if first >= AT_LEAST and time.monotonic() - started > BUDGET_S:
            return
        yield from _batch(model, tokenizer, prompts[first : first + BATCH])


def _batch(model: Any, tokenizer: Any, prompts: list[Messages]) -> list[Recorded]:
    batch = padded(tokenizer, prompts).to(model.device)
    with torch.inference_mode():
        made = model.generate(
            **batch,
            **greedy_settings(tokenizer),
            repetition_penalty=1.0,  # some models bring one; servers do not apply it
            max_new_tokens=GOLDEN_TOKENS,
            output_logits=True,
            return_dict_in_generate=True,
        )
    ends, found = end_tokens(model, tokenizer), [Recorded() for _ in prompts]
    tokens = made.sequences[:, batch["input_ids"].shape[1] :].tolist()
    for place, scores in enumerate(made.logits):
        _add(found, place, [row[place] for row in tokens], scores.float(), ends)
    return found


def _add(found: list[Recorded], place: int, tokens: list[int], scores: Any, ends: set[int]) -> None:
    """One more token of each answer that has not ended."""
    top, spread = scores.topk(2).values, scores.std(dim=-1, keepdim=True)
    margins = ((top[:, 0] - top[:, 1]) / spread[:, 0]).tolist()
    close = scores >= top[:, :1] - TIE * spread
    for at, answer in enumerate(found):
        if answer.ended:
            continue
        answer.margins.append(round(margins[at], 3))
        rivals = [token for token in close[at].nonzero()[:, 0].tolist() if token != tokens[at]]
        if rivals:
            answer.rivals[place] = rivals
        answer.ended = tokens[at] in ends
        if not answer.ended:
            answer.tokens.append(tokens[at])


def _row(tokenizer: Any, messages: Messages, ours: Recorded, theirs: Recorded) -> dict[str, Any]:
    text = rendered(tokenizer, messages)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = [_said(tokenizer, ours.tokens[: at + 1]) for at in range(len(ours.tokens))]
    return {
        "messages": messages,
        "text": text,
        "prompt_tokens": len(ids),
        "prompt_digest": sha256(",".join(map(str, ids)).encode()).hexdigest()[:16],
        "tuned_tokens": ours.tokens,
        "tuned_ended": ours.ended,
        "tuned_text": pieces[-1] if pieces else "",
        "offsets": [len(piece) for piece in pieces],
        "margins": ours.margins,
        "rivals": {str(place): rivals for place, rivals in ours.rivals.items()},
        "base_tokens": theirs.tokens,
        "base_ended": theirs.ended,
        "base_text": _said(tokenizer, theirs.tokens),
    }


def _said(tokenizer: Any, tokens: list[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=True)
    return text


def _loaded(folder: Path) -> Any:
    """On the GPU where there is one with room for it: servers will be there too."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    if torch.cuda.is_available():
        size = sum(weights.numel() * weights.element_size() for weights in model.parameters())
        if torch.cuda.mem_get_info()[0] > 1.5 * size + (2 << 30):
            return model.to("cuda")
    return model
