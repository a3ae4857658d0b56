"""All GPUs of this machine: DDP or FSDP through `accelerate launch`; torchrun where there are only processors."""

from __future__ import annotations

import os
from typing import Any

from studio.errors import InvalidInput
from studio.train.machine import devices
from studio.train.runners.process import ProcessRunner
from studio.train.runners.several import command


class AccelerateRunner(ProcessRunner):
    """A child process of this machine that starts one process per GPU."""

    def check(self) -> str:
        """One sentence about what would be used."""
        gpus = visible_gpus()
        return f"{gpus} GPU{'s' if gpus != 1 else ''} here." if gpus else "No GPU here: processes share the processors."


def argv_of(options: dict[str, Any]) -> tuple[str, ...]:
    """One process per GPU that this job may use, or as many as the place says. Raises InvalidInput for too many."""
    gpus = visible_gpus()
    processes = int(options.get("processes") or gpus or 1)
    if gpus and processes > gpus:
        raise InvalidInput(
            f"The place asks for {processes} GPUs, but this run may use {gpus}. Lower it under Settings."
        )
    return command(processes, str(options.get("strategy") or "ddp"), on_gpus=gpus > 0)


def visible_gpus() -> int:
    """GPUs that this process may use: those the worker gave it, else all of the machine."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return len([part for part in given.split(",") if part.strip() and part.strip() != "-1"])
    return sum(device.kind == "cuda" for device in devices())
