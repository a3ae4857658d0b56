"""Why a run failed: rules that look at the error, the events and the log, each with its cause, evidence and fix.

A rule is a function of a Case. The first that recognises the case is believed, so the more certain come first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from studio.train.failures import base, device, disk, memory, numbers, recipe, rows
from studio.train.failures.case import Case, Failure

__all__ = ["RULES", "SYMPTOMS", "Case", "Failure", "diagnose", "symptoms"]

Rule = Callable[[Case], Failure | None]
RULES: tuple[Rule, ...] = (
    memory.halved,
    memory.at_one_row,
    disk.disk_full,
    numbers.not_a_number,
    memory.killed,
    memory.out_of_memory,
    base.no_chat_template,
    rows.no_supervised_tokens,
    base.adapter_of_another_base,
    base.vocabulary_mismatch,
    base.sizes_differ,
    base.unknown_architecture,
    base.base_out_of_reach,
    base.adapter_targets,
    device.flash_attention_missing,
    device.precision_unsupported,
    device.quantisation_missing,
    rows.rows_too_long,
    rows.no_rows,
    rows.rows_of_another_kind,
    rows.too_few_rows,
    recipe.unknown_key,
    recipe.bad_value,
    rows.reward_failed,
    base.base_damaged,
    device.cuda_error,
    device.place_out_of_reach,
)
"""What ends a run."""
SYMPTOMS: tuple[Rule, ...] = (
    numbers.preferences_collapsed,
    numbers.loss_exploded,
    numbers.loss_jumped,
    numbers.loss_stuck,
    numbers.overfit,
    numbers.target_unmoved,
    disk.checkpoint_harmed,
)
"""What a run that reached its end may still suffer from."""


def diagnose(
    error: BaseException | str | None, events: list[dict[str, Any]], log_tail: str, plan: dict[str, Any]
) -> dict[str, Any]:
    """The failure as `TrainingRun.failure` keeps it: rule, cause, evidence, fix, log_line.

    `error` is what was raised, or the sentence it left; `plan` is `TrainingRun.plan`.
    """
    case = Case.of(error, events, log_tail, plan)
    found = next((failure for rule in RULES if (failure := rule(case))), None) or _untold(error, case)
    return found.to_dict(case.first_line)


def symptoms(
    events: list[dict[str, Any]], plan: dict[str, Any], target: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """What a finished run suffers from, each as a failure with its fix; `target` as its summary has it."""
    case = replace(Case.of(None, events, "", plan), target=target or {})
    return [failure.to_dict() for rule in SYMPTOMS if (failure := rule(case))]


def _untold(error: BaseException | str | None, case: Case) -> Failure:
    """No rule knows it. An error of the studio's own is a sentence with its fix already."""
    sentence = getattr(error, "message", None)
    if sentence:
        return Failure("told", str(sentence), case.first_line, "Try again", resume=True)
    cause = "The run failed for a reason that no rule knows. The log says more."
    return Failure("unknown", cause, case.first_line, "Try again", resume=True)
