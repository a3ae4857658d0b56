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
    """What was saved could not be read again, so the run went back to a checkpoint before it."""
    told = case.told("harmed")
    if not told:
        return None
    evidence = f"The checkpoint of step {told[-1]['step']} could not be read: {told[-1]['error']}."
    cause = "A checkpoint was harmed after it was saved, so the run went on from the one before: look at the disk."
    return Failure("checkpoint_harmed", cause, evidence, "Look at this machine's disk", page="settings")
