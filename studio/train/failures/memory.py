"""Memory ran out: in the run's own process, at one row already, or so badly that the machine killed the run."""

from __future__ import annotations

from typing import Any

from studio.train.failures.case import Case, Failure

MIB_PER_GIB = 1024
FEWEST_TOKENS = 64
KILLED = r"killed by signal 9|signal 9 \(SIGKILL\)|exit code -9\b|exit code 137\b|OOMKilled|with its supervisor"


def halved(case: Case) -> Failure | None:
    """One of several processes ran out of memory; half its rows is already noted for the next attempt."""
    line = case.line("from now on half as many are held there")
    if not line:
        return None
    cause = "The rows did not fit in the memory of one of the processors."
    return Failure("out_of_memory", cause, line, "Go on with half the rows in memory at once", resume=True)


def at_one_row(case: Case) -> Failure | None:
    """The trainer halved the rows at once until one was left, and that one did not fit."""
    if "OutOfMemory" not in case.types and not case.line(r"^OutOfMemory:", "even with one row at a time"):
        return None
    halved = [event for event in case.told("oom") if event.get("where") != "evaluation"]
    tried = " → ".join(str(event["micro_from"]) for event in halved)
    evidence = f"Rows at once: {tried} → 1, and one did not fit." if tried else "The model itself filled the memory."
    cause = "One row at a time is still too much for the memory of this machine."
    return _mended("out_of_memory_at_one_row", cause, evidence, *_lighter(case))


def out_of_memory(case: Case) -> Failure | None:
    """An error that names memory, from a place that cannot halve anything."""
    line = case.line(
        r"out of memory", r"can't allocate memory", r"cannot allocate memory", r"ALLOC_FAILED", r"\bMemoryError"
    )
    if not line:
        return None
    return _mended("out_of_memory", "The run did not fit in memory.", line, *_fewer(case))


def killed(case: Case) -> Failure | None:
    """Nothing was said: the machine ended the process, which it does to the biggest when memory is gone."""
    line = case.line(KILLED)
    if not line:
        return None
    most = max((event.get("memory_mb") or 0 for event in case.told("log")), default=0)
    held = f" It held {most / MIB_PER_GIB:.1f} GiB when it last told." if most else ""
    cause = "The machine ended the run without a word, again and again: most likely its memory ran out."
    return _mended("killed", cause, line + held, *_fewer(case))


def _mended(rule: str, cause: str, evidence: str, label: str, change: dict[str, Any]) -> Failure:
    return Failure(rule, cause, evidence, label, change, page="" if change else "train")


def _fewer(case: Case) -> tuple[str, dict[str, Any]]:
    rows = case.value("micro_batch") or case.value("batch_size", 8)
    if rows > 1:
        return f"Train with {rows // 2} rows in memory at once", {"micro_batch": rows // 2}
    return _lighter(case)


def _lighter(case: Case) -> tuple[str, dict[str, Any]]:
    """The next thing that saves memory without changing what is learned, or the least harm."""
    if case.value("training") == "full":
        return "Train an adapter (LoRA) instead of every weight", {"training": "lora", "micro_batch": 1}
    if case.value("checkpointing") is False:
        change = {"checkpointing": True, "micro_batch": 1}
        return "Keep less in memory and compute it twice (checkpointing)", change
    longest = case.value("max_length", 1024)
    if longest > FEWEST_TOKENS:
        half = max(FEWEST_TOKENS, longest // 2)
        return f"Cut rows at {half} tokens", {"max_length": half, "micro_batch": 1}
    return "Choose a smaller base", {}
