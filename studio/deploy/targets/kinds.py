"""Every kind of place where models are served besides this machine: what it is, and what it needs to be told."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from studio.access.origins import WEB
from studio.access.places import Kind, Option


@dataclass(frozen=True)
class ServingKind(Kind):
    """A kind of place where models are served; its name is a target's in the catalog."""

    schemes: tuple[str, ...] = WEB
    """What its address may start with."""
    costs: bool = False
    """Serving there is billed, so somebody must have confirmed that."""
    rules: str = ""
    """module:function that refuses options which do not fit together, where there are such."""

    def refuse_misfits(self, options: dict[str, Any]) -> None:
        """Raises InvalidInput for options that this kind's server cannot be started with."""
        if self.rules:
            module, _, function = self.rules.partition(":")
            getattr(import_module(module), function)(options, None)


ENGINE = ("unix", "tcp", "http", "https", "ssh")
MAX_TOKENS = Option("max_total_tokens", "Longest conversation", "Tokens of prompt and answer together.", "number")
CONTAINER = (
    Option("image", "Image", "Empty is the pinned one for the chosen hardware."),
    Option("gpu", "GPUs", "all, none to serve on the CPU, or their numbers as 0,1.", default="all"),
    Option("gpu_share", "Share of GPU memory", "0.45 lets two servers fit; empty leaves it to the server.", "number"),
    Option("gpu_memory_gb", "GPU memory, GB", "Of all together; weights that do not fit are refused early.", "number"),
    Option("network", "Network", "A private one that the gateway is on; empty publishes a port of one address only."),
    Option("bind_address", "Address of the port", "Without a network; never a public one.", default="127.0.0.1"),
    Option(
        "host_models_path", "Models folder there", "The studio's folder models as the engine sees it, if it differs."
    ),
    Option("shm", "Shared memory", "For example 1g.", default="1g"),
    Option("memory", "Memory at most", "For example 24g; empty sets no limit."),
    Option("dtype", "Number format", "For example bfloat16; empty leaves it to the server."),
    Option("quantize", "Quantisation", "As the server names it, for example fp8 or bitsandbytes-nf4."),
    MAX_TOKENS,
    Option("extra_args", "More arguments", "As the server's own command line takes them, one or more a line.", "list"),
    Option("pull", "Fetch the image if it is missing", "Images are several GB.", "yes", False),
    Option("tls_folder", "Certificates", "For tcp://: the folder with ca.pem, cert.pem and key.pem."),
)
CONTAINER_RULES = "studio.deploy.targets.containers.options:options_of"
TGI = ServingKind(
    "tgi",
    "TGI in a container",
    "Text Generation Inference 3.3.7, its last release, on a container engine.",
    url="optional",
    key="no",
    options=CONTAINER,
    schemes=ENGINE,
    rules=CONTAINER_RULES,
)
VLLM = ServingKind(
    "vllm",
    "vLLM in a container",
    "vLLM on a container engine, reached by the gateway only.",
    url="optional",
    key="no",
    options=CONTAINER,
    schemes=ENGINE,
    rules=CONTAINER_RULES,
)
VLLM_SERVER = ServingKind(
    "vllm_server",
    "A vLLM that runs already",
    "Adapters are loaded and unloaded while it runs. Start it with --enable-lora, --api-key and "
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, on a private network: its key guards /v1 only.",
    url="required",
    key="optional",
    options=(
        Option(
            "path_map",
            "Folders there",
            "This machine's folder to the same folder as that server sees it. Empty if the paths are the same.",
            "map",
        ),
        Option(
            "max_lora_rank", "Largest rank", "As that vLLM was started with: --max-lora-rank, 16 unless set.", "number"
        ),
    ),
)
EXTERNAL = ServingKind(
    "external",
    "A server that somebody else runs",
    "Any TGI, vLLM or OpenAI-compatible address: it is asked, proven and routed to, never started or stopped.",
    url="required",
    key="optional",
    options=(
        Option("dialect", "Speaks", "Empty asks the server.", choices=("tgi", "vllm", "openai")),
        Option("model", "Its name of the model", "Empty is the name of the revision, as alias-r3."),
    ),
)
ENDPOINTS = ServingKind(
    "endpoints",
    "Hugging Face Inference Endpoints",
    "TGI 3.3.7 on hardware of Hugging Face, billed by the minute. The model must be on the Hub.",
    url="no",
    key="required",
    options=(
        Option("confirmed", "Serving here costs money", "Nothing is started before this is confirmed.", "yes", False),
        Option("namespace", "Account", "Who pays; empty is the token's owner."),
        Option("vendor", "Cloud", "As Hugging Face names it.", default="aws"),
        Option("region", "Region", "", default="us-east-1"),
        Option("accelerator", "Accelerator", "gpu or cpu.", default="gpu", choices=("gpu", "cpu", "neuron")),
        Option("instance_type", "Instance", "For example nvidia-l4.", default="nvidia-l4"),
        Option("instance_size", "Size", "For example x1.", default="x1"),
        Option("min_replica", "Replicas at least", "0 lets it scale to zero.", "number", 0.0),
        Option("max_replica", "Replicas at most", "", "number", 1.0),
        Option("scale_to_zero_minutes", "Scale to zero after, minutes", "Without calls.", "number", 15.0),
        Option("price_per_hour", "Your price, USD an hour", "Shown where Hugging Face tells none.", "number"),
        Option("image", "Image", "Empty is TGI 3.3.7."),
        MAX_TOKENS,
        Option(
            "when_stopped", "When stopped", "A paused one costs nothing.", default="pause", choices=("pause", "delete")
        ),
    ),
    costs=True,
)
CONFIRMED = Option(
    "confirmed", "Serving here costs money", "Nothing is started before this is confirmed.", "yes", False
)
OWN_PRICE = Option("price_per_hour", "Your price, USD an hour", "Shown where the company tells none.", "number")
MOST = Option("max_replica", "Replicas at most", "", "number", 1.0)
FIREWORKS = ServingKind(
    "fireworks",
    "Fireworks",
    "A deployment of your own there, billed while a replica runs. The model must be uploaded first.",
    url="optional",
    key="required",
    options=(
        CONFIRMED,
        Option("account", "Account", "Its id: `firectl whoami`."),
        Option("accelerator", "Accelerator", "As Fireworks names it.", default="NVIDIA_H100_80GB"),
        Option("accelerator_count", "Accelerators per replica", "", "number", 1.0),
        Option("min_replica", "Replicas at least", "0 lets it scale to zero.", "number", 0.0),
        MOST,
        Option("scale_to_zero_minutes", "Scale to zero after, minutes", "Without calls, 5 at least.", "number", 15.0),
        OWN_PRICE,
    ),
    costs=True,
)
TOGETHER = ServingKind(
    "together",
    "Together",
    "A dedicated endpoint there, billed by the minute. The model must be uploaded first.",
    url="optional",
    key="required",
    options=(
        CONFIRMED,
        Option("hardware", "Hardware", "As Together names it.", default="1x_nvidia_h100_80gb_sxm"),
        Option("min_replica", "Replicas at least", "", "number", 1.0),
        MOST,
        Option(
            "stop_after_minutes",
            "Stop after, minutes",
            "Without calls; what should run is started again by the studio.",
            "number",
        ),
        OWN_PRICE,
        Option(
            "when_stopped", "When stopped", "A stopped one costs nothing.", default="stop", choices=("stop", "delete")
        ),
    ),
    costs=True,
)
KINDS: dict[str, ServingKind] = {
    kind.name: kind for kind in (TGI, VLLM, VLLM_SERVER, EXTERNAL, ENDPOINTS, FIREWORKS, TOGETHER)
}
