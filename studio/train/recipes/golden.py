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

from studio.train.recipes.generate import can_read, greedy_settings, padded, rendered

GOLDEN_TOKENS = 16
BATCH = 8
TIE, TIE_LEAST, TIE_MOST = 0.25, 0.1, 1.0
"""How far behind the most likely token (in standard deviations of all scores) one may be and still win under other
rounding: the first where it cannot be measured, else what was measured within the other two."""
SAFETY = 2.0
RIVALS, MEASURED_PROMPTS = 16, 16
UPCAST_MOST = 2_000_000_000
"""Parameters of a model that is copied to twice its size to measure rounding."""
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
    gaps: list[list[tuple[int, float]]] = field(default_factory=list)
    """By place: the next tokens in likelihood and how far behind each is."""

    def rivals(self, tie: float) -> dict[str, list[int]]:
        """Where others are this close, which."""
        close = {str(at): [token for token, gap in gaps if gap <= tie] for at, gaps in enumerate(self.gaps)}
        return {at: tokens for at, tokens in close.items() if tokens}


def golden_prompts(base: Path, tuned: Path, prompts: list[Messages]) -> dict[str, Any]:
    """The first greedy tokens of the tuned model and of its base on the prompts that fit its context."""
    tokenizer, model = AutoTokenizer.from_pretrained(tuned), _loaded(tuned)
    ends = stop_tokens(model, tokenizer)
    prompts = [messages for messages in prompts if can_read(model, tokenizer, messages, GOLDEN_TOKENS)]
    ours = list(answers(model, tokenizer, prompts, ends))
    tie = rounding(model, tokenizer, prompts, ours)
    del model
    theirs = list(answers(_loaded(base), tokenizer, prompts[: len(ours)], ends))
    rows = zip(prompts, ours, theirs, strict=False)  # whichever model ran out of its time first
    return {"ends": ends, "tie": tie, "prompts": [_row(tokenizer, *each, tie) for each in rows]}


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer on a server: the portable form carries the same."""
    for found in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        if found is not None:
            return sorted(found) if isinstance(found, list) else [found]
    return []


def answers(model: Any, tokenizer: Any, prompts: list[Messages], ends: list[int]) -> Iterator[Recorded]:
    """Greedy answers, a batch at a time, until the time is up."""
    started = time.monotonic()
    for first in range(0, len(prompts), BATCH):
        if first >= AT_LEAST and time.monotonic() - started > BUDGET_S:
            return
        yield from _batch(model, tokenizer, prompts[first : first + BATCH], ends)


def rounding(model: Any, tokenizer: Any, prompts: list[Messages], recorded: list[Recorded]) -> float:
    """How far apart two tokens may be and still change places in another precision: twice the most that was seen.

    The model is given back in that other precision.
    """
    asked = list(zip(prompts, recorded, strict=False))[:MEASURED_PROMPTS]
    before = [_scores(model, tokenizer, messages, answer.tokens) for messages, answer in asked]
    other = torch.bfloat16 if model.dtype == torch.float32 else torch.float32
    if other == torch.float32 and model.num_parameters() > UPCAST_MOST:
        return TIE
    model.to(other)
    after = [_scores(model, tokenizer, messages, answer.tokens) for messages, answer in asked]
    most = max((_shift(*each) for each in zip(before, after, strict=True)), default=TIE)
    return round(min(max(SAFETY * most, TIE_LEAST), TIE_MOST), 3) if most == most else TIE


def _scores(model: Any, tokenizer: Any, messages: Messages, tokens: list[int]) -> Any:
    """The scores at every place of this answer."""
    prompt = tokenizer(rendered(tokenizer, messages), add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        made = model(torch.tensor([[*prompt, *tokens]], device=model.device)).logits[0]
    return made[len(prompt) - 1 :].float()


def _shift(before: Any, after: Any) -> float:
    """The most that two of the likeliest tokens move against each other."""
    likeliest = before.topk(RIVALS).indices
    moved = after.gather(1, likeliest) - before.gather(1, likeliest)
    return float(((moved - moved[:, :1]).abs().amax(dim=1) / before.std(dim=-1)).max())


def _batch(model: Any, tokenizer: Any, prompts: list[Messages], ends: list[int]) -> list[Recorded]:
    batch = padded(tokenizer, prompts).to(model.device)
    with torch.inference_mode():
        made = model.generate(
            **batch,
            **greedy_settings(tokenizer),
            repetition_penalty=1.0,  # some models bring one; servers do not apply it
            max_new_tokens=GOLDEN_TOKENS,
            eos_token_id=ends or None,
            output_logits=True,
            return_dict_in_generate=True,
        )
    found = [Recorded() for _ in prompts]
    tokens = made.sequences[:, batch["input_ids"].shape[1] :].tolist()
    for place, scores in enumerate(made.logits):
        _add(found, [row[place] for row in tokens], scores.float(), ends)
    return found


def _add(found: list[Recorded], tokens: list[int], scores: Any, ends: list[int]) -> None:
    """One more token of each answer that has not ended."""
    top, spread = scores.topk(min(RIVALS, scores.shape[-1])), scores.std(dim=-1, keepdim=True)
    gaps = ((top.values[:, :1] - top.values) / spread).tolist()
    for at, answer in enumerate(found):
        if answer.ended:
            continue
        near = [pair for pair in zip(top.indices[at].tolist(), gaps[at], strict=True) if pair[0] != tokens[at]]
        answer.gaps.append(near)
        answer.margins.append(round(near[0][1], 3))
        answer.ended = tokens[at] in ends
        if not answer.ended:
            answer.tokens.append(tokens[at])


def _row(tokenizer: Any, messages: Messages, ours: Recorded, theirs: Recorded, tie: float) -> dict[str, Any]:
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
        "rivals": ours.rivals(tie),
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
