"""Golden: the server gives the tuned model's answers and not the base's.

Servers have answered with the base's weights, or with a wrong rotary base, without any error. Training recorded the
first greedy tokens of the tuned model and of its base, and where the tuned model was so undecided that other rounding
may choose otherwise. Elsewhere no rounding does: one other token there is other weights, another prompt, or sampling.
"""

from __future__ import annotations

import math
from typing import Any

from studio.deploy.client import Said
from studio.deploy.gates.asking import ask_all
from studio.deploy.gates.compare import Compared, compare, tuned_and_base
from studio.deploy.gates.port import NO_GOLDEN, Finding, Round, Subject
from studio.deploy.gates.recorded import GoldenPrompt


def ties_most(prompts: int) -> float:
    """More answers than this that rounding could explain one by one are not explained by it: half, and some chance."""
    return prompts / 2 + math.sqrt(prompts)


def golden(judged: Round) -> Finding:
    """Ask every golden prompt, and the telling ones once more as a caller would."""
    prompts = judged.subject.golden
    if not prompts:
        return False, {"why": NO_GOLDEN}
    judged.said = ask_all(prompts, lambda prompt: _ask(judged, prompt), lambda share: judged.step(share * 0.6))
    rows = [compare(prompt, said) for prompt, said in zip(prompts, judged.said, strict=True)]
    changed = _asked_again(judged, [row for row in rows if row.at is None])
    evidence = _evidence(rows, judged.subject) | {"asked_twice": sum(row.at is None for row in rows)}
    why = _why(rows, judged.subject) or _why_changed(changed)
    evidence = evidence | {"changed": changed[:3]} if changed else evidence
    return (False, {**evidence, "why": why}) if why else (True, evidence)


def _ask(judged: Round, prompt: GoldenPrompt) -> Said:
    return judged.client.greedy(prompt.messages, prompt.text, max(len(tuned_and_base(prompt)[0]), 1))


def _asked_again(judged: Round, rows: list[Compared]) -> list[dict[str, str]]:
    """What a caller gets for the same prompts, where it is not what was said before."""

    def again(row: Compared) -> str:
        return judged.client.chat(row.prompt.messages, max_tokens=max(len(row.tuned), 1))

    texts = ask_all(rows, again, lambda share: judged.step(0.6 + share * 0.4))
    return [
        {"prompt": row.prompt.asked_text, "first": row.said.text[:200], "then": text[:200]}
        for row, text in zip(rows, texts, strict=True)
        if compare(row.prompt, Said(text)).cause == "other" and text.strip() != row.said.text.strip()
    ]


def _evidence(rows: list[Compared], subject: Subject) -> dict[str, Any]:
    agreed, asked = sum(row.agreed for row in rows), sum(len(row.tuned) for row in rows)
    parted = sorted((row for row in rows if row.at is not None), key=lambda row: (row.cause != "other", row.at))
    return {
        "prompts": len(rows),
        "matches": sum(row.at is None for row in rows),
        "telling": sum(row.telling for row in rows),
        "ties": sum(row.cause == "tie" for row in rows),
        "differ": sum(row.cause == "other" for row in rows),
        "like_base": sum(row.telling and row.like_base for row in rows),
        "agreement": round(agreed / asked, 4) if asked else 1.0,
        "compared_by": "words" if any(row.by_words for row in rows) else "token ids",
        "base": subject.base_name,
        "first_divergence": parted[0].divergence() if parted else None,
        "rows": [row.record() for row in rows],
    }


def _why(rows: list[Compared], subject: Subject) -> str:
    telling, count = [row for row in rows if row.telling], len(rows)
    based, differ = sum(row.like_base for row in telling), [row for row in rows if row.cause == "other"]
    ties = sum(row.cause == "tie" for row in rows)
    if not telling:
        return NOTHING_TELLS.format(count=count, base=subject.base_name)
    if based > subject.slack * len(telling):
        return (
            f"The server answers {based} of {len(telling)} telling golden prompts like the base model "
            f"({subject.base_name}), not like the tuned one. The adapter is missing, or the base is served."
        )
    if len(differ) > _allowed(rows, subject):
        return _why_other(rows, differ, _allowed(rows, subject))
    if ties > ties_most(count):
        return (
            f"{ties} of {count} golden answers differ where rounding could explain each, but not so many. Check the "
            "precision the server was started with (bfloat16, float16 or float32; no quantisation)."
        )
    return ""


def _why_other(rows: list[Compared], differ: list[Compared], allowed: int) -> str:
    first = min(differ, key=lambda row: row.at or 0).divergence()
    told = (
        f"The first is token {first['at'] + 1} of “{first['prompt'][:60]}”: expected {first['expected']['text']!r}, "
        f"served {first['served']['text']!r}."
    )
    may = "at most one may differ" if allowed else "rounding explains none of the others"
    matches = sum(row.cause != "other" for row in rows)
    return (
        f"Only {matches} of {len(rows)} golden answers match the tuned model; {may}. {told} Other weights, another "
        "tokenizer or template, a lost setting of the model, or sampling do that."
    )


def _allowed(rows: list[Compared], subject: Subject) -> int:
    """Answers that may differ: none where the recording knows when the model was sure; one with older recordings."""
    known = all(row.prompt.rivals is not None for row in rows)
    return max(int(subject.slack * len(rows)), 0 if known or len(rows) < 2 else 1)


def _why_changed(changed: list[dict[str, str]]) -> str:
    if not changed:
        return ""
    return (
        f"Asked again as a conversation, with temperature 0, {len(changed)} golden prompts got another answer. The "
        "server samples although it was asked not to, or makes another prompt of a conversation than training did."
    )


NOTHING_TELLS = (
    "The tuned model answers all {count} golden prompts like {base}, so nothing can tell which one is served. Train it "
    "further (more rows, more epochs or a higher learning rate) until its answers change, or let an admin override the "
    "gates with a reason."
)
