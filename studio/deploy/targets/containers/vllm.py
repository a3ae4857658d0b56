"""vLLM in a container: one per revision, with merged weights or with an adapter beside its base."""

from __future__ import annotations

import json
from pathlib import Path

from studio.deploy.targets.containers.options import ContainerOptions
from studio.deploy.targets.containers.payload import PORT, Server, adapter_path, model_path
from studio.deploy.targets.containers.target import ContainerTarget
from studio.deploy.targets.port import Launch
from studio.errors import InvalidInput

VERSION = "v0.30.0"
IMAGE = f"vllm/vllm-openai:{VERSION}"
CPU_IMAGE = f"vllm/vllm-openai-cpu:{VERSION}"
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as the greatest rank of adapters."""


class VllmContainer(ContainerTarget):
    """One vLLM per revision."""

    dialect = "vllm"

    def image(self, options: ContainerOptions) -> str:
        """The given image, else the pinned one for NVIDIA GPUs or for CPUs."""
        return options.image or (CPU_IMAGE if options.on_cpu else IMAGE)

    def server(self, launch: Launch, options: ContainerOptions) -> Server:
        """What vLLM is started with; adapters are fixed at the start, so no route loads another one."""
        return Server(
            image=self.image(options),
            entrypoint=["vllm", "serve"],
            command=_command(launch, options),
            environment={
                "HF_HUB_OFFLINE": "1",
                "VLLM_API_KEY": launch.api_key,
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
            },
        )


def _command(launch: Launch, options: ContainerOptions) -> list[str]:
    words = [model_path(launch), "--port", str(PORT), *_names(launch)]
    for flag, value in (
        ("--max-model-len", options.max_total_tokens),
        ("--dtype", options.dtype),
        ("--quantization", options.quantize),
        ("--gpu-memory-utilization", options.gpu_share),
        ("--tensor-parallel-size", len(options.gpus)),
    ):
        words += [flag, str(value)] if value else []
    return [*words, *options.extra_args]


def _names(launch: Launch) -> list[str]:
    """The revision's name belongs to the weights that callers want: the adapter's, if there is one."""
    if launch.adapter_folder is None:
        return ["--served-model-name", launch.served_name]
    words = ["--served-model-name", f"{launch.served_name}-base", "--enable-lora"]
    words += ["--lora-modules", f"{launch.served_name}={adapter_path(launch)}"]
    return [*words, "--max-lora-rank", str(_rank(launch.adapter_folder))]


def _rank(adapter: Path) -> int:
    """The smallest rank vLLM takes that holds the adapter's."""
    try:
        rank = int(json.loads((adapter / "adapter_config.json").read_text())["r"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"The adapter in {adapter} does not tell its rank. Train it again.") from error
    if rank > RANKS[-1]:
        raise InvalidInput(f"vLLM serves adapters up to rank {RANKS[-1]}; this one has {rank}. Deploy it merged.")
    return next(allowed for allowed in RANKS if allowed >= rank)
