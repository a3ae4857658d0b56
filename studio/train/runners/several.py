"""Commands that train with several processes: torchrun on processors, `accelerate launch` on GPUs."""

from __future__ import annotations

from typing import Any

from studio.errors import InvalidInput
from studio.train.runners.port import FOLDER, ONE_PROCESS, PYTHON

MODULE = ("-m", "studio.train.recipes.run", FOLDER)
FSDP = (
    "--use_fsdp",
    *("--fsdp_version", "2"),
    *("--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    *("--fsdp_state_dict_type", "FULL_STATE_DICT"),
    *("--fsdp_reshard_after_forward", "true"),
    *("--fsdp_cpu_ram_efficient_loading", "true"),
)


def command(processes: int, strategy: str = "ddp", on_gpus: bool = True) -> tuple[str, ...]:
    """The job's command for so many processes on one machine.

    `accelerate launch` without a GPU silently runs a single process, so processors get torchrun (gloo).
    """
    if strategy not in ("ddp", "fsdp"):
        raise InvalidInput(f"There is no way {strategy!r} of using several GPUs. Choose ddp or fsdp.")
    if processes <= 1:
        return ONE_PROCESS
    count = str(processes)
    if not on_gpus:
        return (PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count, *MODULE)
    launch = (PYTHON, "-m", "accelerate.commands.accelerate_cli", "launch", "--num_machines", "1")
    how = FSDP if strategy == "fsdp" else ("--multi_gpu",)
    return (*launch, "--num_processes", count, "--mixed_precision", "no", *how, *MODULE)


def of_options(options: dict[str, Any], on_gpus: bool) -> tuple[str, ...]:
    """The command that a place's options ask for: as many processes as they say, else one per reserved GPU."""
    processes = int(options.get("processes") or options.get("gpus") or 1)
    return command(processes, str(options.get("strategy") or "ddp"), on_gpus)
