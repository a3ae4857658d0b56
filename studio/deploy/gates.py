"""The gates between a launched server and its first call: each proves one thing, and its evidence is kept.

The golden gate is the one that matters: servers have answered with the base's weights, or with a wrong rotary base,
without any error. Training recorded the first greedy tokens of the tuned model and of its base; the server must give
the one and not the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storage.tables import Model
from storage.types import now
from studio.deploy.client import ServerClient
from studio.errors import Unavailable

COMPARED = 8
SMOKE_TOKENS = 64


@dataclass(frozen=True)
class GoldenPrompt:
    """A prompt with the answers that tell the tuned model from its base."""

    messages: list[dict[str, Any]]
    text: str
    """The prompt as training rendered it."""
    tuned: list[int]
    base: list[int]
    tuned_text: str = ""
    base_text: str = ""


@dataclass(frozen=True)
class GateResult:
    """What one gate found."""

    gate: str
    passed: bool
    evidence: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """As stored in a revision's certificate."""
        return {"gate": self.gate, "passed": self.passed, "evidence": self.evidence, "at": now().isoformat()}


def golden_prompts(model: Model) -> list[GoldenPrompt]:
    """The golden answers recorded when the model was made."""
    found = (model.facts or {}).get("golden") or {}
    return [
        GoldenPrompt(
            messages=prompt["messages"],
            text=prompt.get("text", ""),
            tuned=list(prompt["tuned_tokens"]),
            base=list(prompt["base_tokens"]),
            tuned_text=prompt.get("tuned_text", ""),
            base_text=prompt.get("base_text", ""),
        )
        for prompt in found.get("prompts", [])
    ]


def run_gates(client: ServerClient, model: Model, report: Callable[[str], None] = lambda _: None) -> list[GateResult]:
    """All gates in order; without health and identity the others would say nothing, so they are not tried."""
    prompts = golden_prompts(model)
    results: list[GateResult] = []
    for name, gate in GATES.items():
        report(name)
        results.append(_judge(name, gate, client, prompts))
        if not results[-1].passed and name in DECISIVE:
            break
    return results


def sentence(results: list[GateResult]) -> str:
    """Why the revision may not have traffic; empty when every gate passed."""
    failed = [f"{result.gate}: {result.evidence.get('why', 'failed')}" for result in results if not result.passed]
    return " ".join(failed)


Finding = tuple[bool, dict[str, Any]]
Gate = Callable[[ServerClient, list[GoldenPrompt]], Finding]


def _judge(name: str, gate: Gate, client: ServerClient, prompts: list[GoldenPrompt]) -> GateResult:
    try:
        passed, evidence = gate(client, prompts)
    except Unavailable as error:
        passed, evidence = False, {"why": error.message}
    return GateResult(name, passed, evidence)


def _health(client: ServerClient, _prompts: list[GoldenPrompt]) -> Finding:
    if client.healthy():
        return True, {"endpoint": client.endpoint}
    return False, {"endpoint": client.endpoint, "why": "The server does not say it is healthy."}


def _identity(client: ServerClient, _prompts: list[GoldenPrompt]) -> Finding:
    names = client.names()
    evidence: dict[str, Any] = {"expected": client.name, "found": names}
    if client.name in names:
        return True, evidence
    return False, {**evidence, "why": f"The server answers as {', '.join(names)}, not as {client.name}."}


def _golden(client: ServerClient, prompts: list[GoldenPrompt]) -> Finding:
    if not prompts:
        return False, {"why": NO_GOLDEN}
    compared = [_compare(client, prompt) for prompt in prompts]
    matches = sum(row["matches_tuned"] for row in compared)
    telling = [row for row in compared if row["tuned"] != row["base"]]
    evidence: dict[str, Any] = {"matches": matches, "prompts": len(prompts), "telling": len(telling), "rows": compared}
    why = _why_not_golden(matches, len(prompts), telling)
    return (False, {**evidence, "why": why}) if why else (True, evidence)


def _why_not_golden(matches: int, count: int, telling: list[dict[str, Any]]) -> str:
    based = sum(row["matches_base"] for row in telling)
    if not telling:
        return "The tuned model answers every golden prompt like its base, so nothing can tell which one is served."
    if based:
        return (
            f"The server answers {based} of {len(telling)} golden prompts like the base model, not like the tuned one."
        )
    if matches < max(1, count - 1):
        return f"Only {matches} of {count} golden answers match the tuned model; at most one may differ."
    return ""


def _compare(client: ServerClient, prompt: GoldenPrompt) -> dict[str, Any]:
    tuned: Any
    base: Any
    if client.dialect == "tgi":
        text = prompt.text or client.prompt(prompt.messages) or ""
        count = COMPARED if prompt.tuned[:COMPARED] != prompt.base[:COMPARED] else len(prompt.tuned)
        tuned, base = prompt.tuned[:count], prompt.base[:count]
        got: Any = client.greedy_tokens(text, max(count, 1))
    else:  # other servers do not show token ids: compare what they say
        tuned, base = prompt.tuned_text.strip(), prompt.base_text.strip()
        got = client.chat(prompt.messages, max_tokens=max(len(prompt.tuned), 1)).strip()
    return {
        "prompt": str(prompt.messages[-1].get("content", ""))[:200],
        "tuned_text": prompt.tuned_text[:200],
        "tuned": tuned,
        "base": base,
        "served": got,
        "matches_tuned": got == tuned,
        "matches_base": got == base,
    }


def _template(client: ServerClient, prompts: list[GoldenPrompt]) -> Finding:
    known = [prompt for prompt in prompts if prompt.text]
    if not known:
        return False, {"why": NO_GOLDEN}
    for checked, prompt in enumerate(known):
        served = client.prompt(prompt.messages)
        if served is None:
            return True, {
                "checked": checked,
                "note": "This server does not show its prompt; the golden answers stand in.",
            }
        if served != prompt.text:
            why = "The server makes another prompt of a conversation than training did."
            return False, {"trained": prompt.text, "served": served, "why": why}
    return True, {"checked": len(known)}


def _smoke(client: ServerClient, prompts: list[GoldenPrompt]) -> Finding:
    if not prompts:
        return False, {"why": NO_GOLDEN}
    answer = client.chat(prompts[0].messages, max_tokens=SMOKE_TOKENS)
    evidence = {"prompt": str(prompts[0].messages[-1].get("content", ""))[:200], "answer": answer[:500]}
    return (True, evidence) if answer.strip() else (False, {**evidence, "why": "A real prompt got an empty answer."})


UNSEEN = "This server does not show the prompts it makes; the golden answers stand in for them."
NO_GOLDEN = (
    "No golden answers were recorded for this model, so nothing can prove that its weights answer. "
    "Train it here, or let an admin override the gates with a reason."
)
GATES: dict[str, Gate] = {
    "health": _health,
    "identity": _identity,
    "golden": _golden,
    "template": _template,
    "smoke": _smoke,
}
DECISIVE = ("health", "identity")
