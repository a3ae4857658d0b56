"""The disk is full, or what was saved on it is harmed."""

from __future__ import annotations

from studio.train.failures.case import Case, Failure
from studio.train.failures.signs import DISK


def disk_full(case: Case) -> Failure | None:
    """Nothing more could be written."""
    line = case.line(DISK.pattern)
    if not line and "StorageFull" not in case.types:
        return None
    cause = "The disk is full. Every checkpoint that was finished before is unharmed."
    saved = [event["step"] for event in case.told("checkpoint")]
    kept = f" The last one is of step {saved[-1]}." if saved else ""
    return Failure("disk_full", cause + kept, line, "Free some space, then go on", resume=True, page="settings")


def checkpoint_harmed(case: Case) -> Failure | None:
    """Checkpoints could not be read, so the run had to go back."""
    told = case.told("harmed")
    if not told:
        return None
    evidence = f"The checkpoint of step {told[-1]['step']} could not be read: {told[-1]['error']}"
    cause = "What the run had saved is harmed, perhaps by a failing disk or a power cut."
    return Failure("checkpoint_harmed", cause, evidence, "Go on from the newest checkpoint that is whole", resume=True)
