"""Smoke: prompts of the people who use it get answers that keep their assertions."""

from __future__ import annotations

from typing import Any

from studio.deploy.client import Reply, timed
from studio.deploy.gates.port import NO_GOLDEN, Finding, Round
from studio.deploy.gates.smoke_rules import SmokePrompt

DEFAULT_TOKENS = 64
SHOWN = 500
UNASKED = "No smoke prompts were set; one golden prompt was asked."


def smoke(judged: Round) -> Finding:
    """Ask each prompt once, one after another, so that a time limit means one caller's wait."""
    prompts = judged.subject.smoke or _default(judged)
    if not prompts:
        return False, {"why": NO_GOLDEN}
    rows = []
    for number, prompt in enumerate(prompts, 1):
        rows.append(_row(prompt, timed(judged.client, prompt.messages, prompt.max_tokens)))
        judged.step(number / len(prompts))
    evidence: dict[str, Any] = {"asked": len(rows), "kept": sum(not row["faults"] for row in rows), "rows": rows}
    if not judged.subject.smoke:
        evidence = {"note": UNASKED, "prompt": rows[0]["prompt"], "answer": rows[0]["answer"], **evidence}
    broken = [f"“{row['name'] or row['prompt'][:60]}” {', '.join(row['faults'])}" for row in rows if row["faults"]]
    if not broken:
        return True, evidence
    return False, {**evidence, "why": f"{len(broken)} of {len(rows)} smoke prompts failed: {'; '.join(broken[:3])}."}


def _default(judged: Round) -> tuple[SmokePrompt, ...]:
    golden = judged.subject.golden
    return (SmokePrompt(messages=golden[0].messages, max_tokens=DEFAULT_TOKENS),) if golden else ()


def _row(prompt: SmokePrompt, reply: Reply) -> dict[str, Any]:
    return {
        "name": prompt.name,
        "prompt": str(prompt.messages[-1].get("content") or "")[:200],
        "answer": reply.text[:SHOWN],
        "ms": round(reply.milliseconds, 1),
        "faults": prompt.faults(reply.text, reply.milliseconds),
    }
