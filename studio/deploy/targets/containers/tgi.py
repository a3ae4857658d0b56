"""TGI 3.3.7 in a container: frozen upstream, so its image is pinned and its options do not change any more."""

from __future__ import annotations

from studio.deploy.artifact.tgi_facts import CPU_IMAGE, IMAGE
from studio.deploy.targets.containers.options import ContainerOptions
from studio.deploy.targets.containers.payload import PORT, Server, adapter_path, model_path
from studio.deploy.targets.containers.target import ContainerTarget
from studio.deploy.targets.port import Launch


class TgiContainer(ContainerTarget):
    """One TGI per revision."""

    dialect = "tgi"

    def image(self, options: ContainerOptions) -> str:
        """The given image, else the pinned one for NVIDIA GPUs or for Intel CPUs."""
        return options.image or (CPU_IMAGE if options.on_cpu else IMAGE)

    def server(self, launch: Launch, options: ContainerOptions) -> Server:
        """What TGI is started with."""
        image = self.image(options)
        on_intel = image.endswith("-intel-cpu")
        return Server(
            image=image,
            command=_command(launch, options, on_intel),
            environment=_environment(launch),
            capabilities=("SYS_NICE",) if on_intel else (),  # Intel's extension binds memory to processors
        )


def _command(launch: Launch, options: ContainerOptions, on_intel: bool) -> list[str]:
    words = ["--model-id", model_path(launch), "--port", str(PORT), "--usage-stats", "off", "--json-output"]
    for flag, value in (
        ("--max-total-tokens", options.max_total_tokens),
        ("--dtype", options.dtype),
        ("--quantize", options.quantize),
        ("--cuda-memory-fraction", options.gpu_share),
        ("--num-shard", len(options.gpus)),
    ):
        words += [flag, str(value)] if value else []
    return [*words, *(["--cuda-graphs", "0"] if on_intel else []), *options.extra_args]


def _environment(launch: Launch) -> dict[str, str]:
    """The key is an environment variable: as an argument, every user of that machine would see it in `ps`."""
    made = {"HF_HUB_OFFLINE": "1", "API_KEY": launch.api_key}
    if launch.adapter_folder is not None:
        made["LORA_ADAPTERS"] = f"{launch.served_name}={adapter_path(launch)}"
    return made
