"""The gates between a launched server and its first call: each proves one thing, and its evidence is kept.

One file per gate, in the order of the table; what golden and template find is the serving-parity certificate.
"""

from __future__ import annotations

from typing import Any

from storage.tables import Model
from studio.deploy.client import ServerClient
from studio.deploy.gates.certificate import bounded, certificate
from studio.deploy.gates.golden import golden
from studio.deploy.gates.health import health
from studio.deploy.gates.identity import identity
from studio.deploy.gates.latency import latency
from studio.deploy.gates.port import LATENCY_FACTOR, Finding, Gate, GateResult, LiveFigures, Report, Round, Subject
from studio.deploy.gates.recorded import GoldenPrompt, golden_prompts
from studio.deploy.gates.smoke import smoke
from studio.deploy.gates.smoke_rules import SmokePrompt, smoke_prompts
from studio.deploy.gates.template import template
from studio.errors import Unavailable

__all__ = [
    "DECISIVE", "GATES", "Finding", "Gate", "GateResult", "GoldenPrompt", "LiveFigures", "Report", "Round",
    "SmokePrompt", "Subject", "certificate", "golden_prompts", "run_gates", "sentence", "smoke_prompts", "subject",
]  # fmt: skip
GATES: dict[str, Gate] = {
    "health": health,
    "identity": identity,
    "golden": golden,
    "template": template,
    "smoke": smoke,
    "latency": latency,
}
DECISIVE = ("health", "identity")
"""Without these the others would say nothing."""
ROUNDED_SLACK = 0.2
"""Golden answers that may differ when the target rounds the weights itself, as it was told to."""


def subject(
    model: Model,
    rules: dict[str, Any] | None = None,
    live: LiveFigures | None = None,
    *,
    base_name: str = "its base",
    quantised: bool = False,
) -> Subject:
    """What a server of this model is judged by, under a deployment's rules. Raises InvalidInput for wrong rules."""
    found = rules or {}
    factor = (found.get("guardrail") or {}).get("latency_factor") or LATENCY_FACTOR
    slack = ROUNDED_SLACK if quantised else 0.0
    return Subject(golden_prompts(model), smoke_prompts(found), live, base_name, float(factor), slack)


def run_gates(client: ServerClient, judged: Subject, report: Report = lambda _gate, _share: None) -> list[GateResult]:
    """All gates in order, until a decisive one fails. `report` hears each gate's progress and may raise to stop."""
    turn, results = Round(client, judged), []
    for name, gate in GATES.items():
        report(name, 0.0)
        turn.step = lambda share, name=name: report(name, share)  # type: ignore[misc]
        results.append(_judge(name, gate, turn))
        if not results[-1].passed and name in DECISIVE:
            break
    return results


def sentence(results: list[GateResult]) -> str:
    """Why the revision may not have traffic; empty when every gate passed."""
    failed = [f"{result.gate}: {result.evidence.get('why', 'failed')}" for result in results if not result.passed]
    return " ".join(failed)


def _judge(name: str, gate: Gate, turn: Round) -> GateResult:
    try:
        passed, evidence = gate(turn)
    except Unavailable as error:
        passed, evidence = False, {"why": error.message}
    return GateResult(name, passed, bounded(evidence))
