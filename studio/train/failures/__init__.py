"""Why a run failed: rules that look at the error, the events and the log, each with its cause, evidence and fix."""

from __future__ import annotations

from typing import Any

from studio.train.failures.case import Case, Failure

__all__ = ["Case", "Failure", "diagnose"]


def diagnose(
    error: BaseException | str | None, events: list[dict[str, Any]], log_tail: str, plan: dict[str, Any]
) -> dict[str, Any]:
    """The failure as `TrainingRun.failure` keeps it: rule, cause, evidence, fix, log_line."""
    case = Case.of(error, events, log_tail, plan)
    line = case.text.strip().splitlines()[0] if case.text.strip() else ""
    found = Failure("unknown", "The run failed for a reason that no rule knows.", line, "Try again", resume=True)
    return found.to_dict(line)
