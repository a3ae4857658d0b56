"""Will it fit into memory, and what would make it."""

from __future__ import annotations

from collections.abc import Iterator

from studio.train.advice import load_for
from studio.train.doctor.finding import Case, Finding
from studio.train.estimate import Fix, fixes
from studio.train.machine import GIB
from studio.train.plan import Plan

NOTHING_FITS = "Choose a smaller base, or run on a machine with more memory."


def room(case: Case) -> Iterator[Finding]:
    """Too big is an error, tight a warning; each with the change that helps most."""
    estimate = case.plan.estimate
    if estimate.fit == "fits":
        return
    low, high = (part / GIB for part in estimate.memory_range)
    needs = f"The run needs about {low:.1f} to {high:.1f} GiB and this machine has {estimate.room / GIB:.1f}."
    severity = "error" if estimate.fit == "too big" else "warning"
    fix = best_fix(case.plan)
    if fix is None:
        yield Finding(severity, needs, NOTHING_FITS)
    else:
        yield Finding(severity, needs, f"{fix.label}.", fix.overrides)


def best_fix(plan: Plan) -> Fix | None:
    """The change of the plan that would make it fit and costs least."""
    load = load_for(plan.situation, plan.way, plan.named, plan.steps)
    found = fixes(plan.situation.shape, load, plan.situation.machine)
    return found[0] if found else None
