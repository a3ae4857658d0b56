"""Which base to start from: as big as the task needs, as small as serving allows, and able to be trained here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from storage.tables import DatasetVersion, Model
from studio.errors import InvalidInput
from studio.train.hub import MENU
from studio.train.machine import GIB, Machine

BUDGETS = {
    "cpu": (400_000_000, "serving on a CPU"),
    "small": (1_000_000_000, "serving on a small GPU"),
    "gpu": (8_000_000_000, "serving on one GPU"),
    "any": (1 << 62, "any serving"),
}
"""Parameters that a serving budget carries at interactive speed."""
SHORT_ANSWER, LONG_ANSWER = 200, 1500
"""Characters at the 95th percentile up to which answers are labels or fields, and from which they are prose."""
ENOUGH = {"label": 100_000_000, "reply": 500_000_000, "prose": 1_000_000_000}
"""Parameters from which a pre-trained model usually does such a task after tuning."""
TRAINING_BYTES = 4
"""Bytes per parameter that training an adapter takes at the least, in 16 bits with activations."""
SOURCE = "the studio's rule of thumb; memory by its own estimate"


@dataclass(frozen=True)
class BaseAdvice:
    """One base, and why it is where it is in the list."""

    name: str
    parameters: int
    reason: str
    source: str
    fits: bool
    """Within the serving budget, and trainable here."""
    model_id: str = ""
    """Registered in the project."""
    hub_id: str = ""
    """On the Hub menu, to be registered when chosen."""


def advise_base(
    version: DatasetVersion, models: Iterable[Model], machine: Machine, budget: str = "any"
) -> list[BaseAdvice]:
    """Bases ranked, the best first. Raises InvalidInput for an unknown budget."""
    if budget not in BUDGETS:
        raise InvalidInput(f"Choose a serving budget of {', '.join(BUDGETS)}.")
    task, registered = task_of(version), list(models)
    hub_ids = {model.hub_id for model in registered}
    here = [_advice(model.name, model.parameters, task, machine, budget, model_id=model.id) for model in registered]
    menu = [base for base in MENU if base.hub_id not in hub_ids]
    there = [_advice(base.name, base.shape.parameters, task, machine, budget, hub_id=base.hub_id) for base in menu]
    return sorted([*here, *there], key=lambda each: _rank(each, task))


def task_of(version: DatasetVersion) -> str:
    """label, reply or prose: by how long the answers are."""
    longest = version.stats.get("characters", {}).get("output", {}).get("p95", SHORT_ANSWER)
    return "label" if longest <= SHORT_ANSWER else "reply" if longest <= LONG_ANSWER else "prose"


def _advice(
    name: str, size: int, task: str, machine: Machine, budget: str, model_id: str = "", hub_id: str = ""
) -> BaseAdvice:
    most, where = BUDGETS[budget]
    trainable = size * TRAINING_BYTES <= machine.room
    if size > most:
        reason = f"{_size(size)} parameters are too many for {where}."
    elif not trainable:
        reason = f"Training it wants about {size * TRAINING_BYTES / GIB:.0f} GiB; here are {machine.room / GIB:.0f}."
    elif size < ENOUGH[task]:
        reason = f"Trains and serves fastest; may be too small for {_TASKS[task]}."
    else:
        reason = f"{_size(size)} parameters are enough for {_TASKS[task]}, and few enough for {where}."
    return BaseAdvice(name, size, reason, SOURCE, size <= most and trainable, model_id, hub_id)


def _rank(advice: BaseAdvice, task: str) -> tuple[bool, bool, int]:
    """What fits first; of those the smallest that is enough; the too small ones after them, the bigger first."""
    enough = advice.parameters >= ENOUGH[task]
    return (not advice.fits, not enough, advice.parameters if enough else -advice.parameters)


def _size(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} billion" if parameters >= 1e9 else f"{max(parameters / 1e6, 0.1):.0f} million"


_TASKS = {"label": "labels and short fields", "reply": "short replies", "prose": "longer texts"}
