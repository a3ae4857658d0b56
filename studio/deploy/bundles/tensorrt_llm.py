"""TensorRT-LLM: `trtllm-serve` on its PyTorch backend, merged weights or an adapter (nvidia.github.io/TensorRT-LLM)."""

from __future__ import annotations

from typing import Any

import yaml

from studio.deploy.artifact.architectures import support
from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.words import openai_client, readme, script

PORT = "8000"
KEY = "TRTLLM_API_KEY"
ADAPTER_PATH = "/bundle/adapter"
TARGETS = ("attn_q", "attn_k", "attn_v", "attn_dense", "mlp_h_to_4h", "mlp_gate", "mlp_4h_to_h")
"""Its own names of q, k, v, o, gate, up and down."""


class TensorRTLLM:
    """The fastest engine on NVIDIA GPUs; takes the portable folder as it is."""

    name, label = "tensorrt_llm", "TensorRT-LLM"
    forms: tuple[str, ...] = ("merged", "adapter")
    options: dict[str, str] = {"gpus": "GPUs that hold the model together (tensor parallelism); 1 if not said."}

    def check(self, served: Served) -> list[str]:
        """Unknown architectures."""
        found = support(served.model_type, self.name)
        return [found.reason] if found.serves == "no" else []

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """Launch script, extra options, client, README."""
        texts = {
            "README.md": readme(served, self.label, self._steps(), self._mind(served)),
            "launch.sh": script(self._command(served, options)),
            "client.py": openai_client(
                "base" if served.is_adapter else served.name, f"http://127.0.0.1:{PORT}/v1", KEY, _lora(served)
            ),
        }
        return {**texts, "extra.yaml": _extra(served)} if served.is_adapter else texts

    def _command(self, served: Served, options: dict[str, Any]) -> list[str]:
        words = ["trtllm-serve", "model", "--backend", "pytorch", "--host", "127.0.0.1", "--port", PORT]
        words += ["--served_model_name", "base" if served.is_adapter else served.name]
        words += ["--max_seq_len", str(served.max_tokens), "--tp_size", str(int(options.get("gpus") or 1))]
        return [*words, "--extra_llm_api_options", "extra.yaml"] if served.is_adapter else words

    def _steps(self) -> list[str]:
        return [
            "On a machine with an NVIDIA GPU, start NVIDIA's container of the release that you use "
            "(nvcr.io/nvidia/tensorrt-llm/release), with this folder mounted at /bundle: "
            "`docker run --rm -it --ipc host --gpus all -p 127.0.0.1:8000:8000 -v $PWD:/bundle -w /bundle IMAGE`.",
            "In it: `bash launch.sh`.",
            f"Ask it: `export {KEY}=any` and `python client.py` (needs `pip install openai`).",
        ]

    def _mind(self, served: Served) -> list[str]:
        mind = [
            "trtllm-serve checks no key: keep it on this machine or a private network, behind the studio's gateway.",
            "`--served_model_name` needs a recent release; on an older one the name is the folder's: `model`.",
        ]
        adapter = (
            "The adapter is named by path in every request (`lora_request`). A request without it is answered by the "
            "base's weights, so let nobody but the gateway or client.py ask this server."
        )
        return [*mind, adapter] if served.is_adapter else mind


def _lora(served: Served) -> str:
    if not served.is_adapter:
        return ""
    wanted = {"lora_name": served.name, "lora_int_id": 1, "lora_path": ADAPTER_PATH}
    return f"extra_body={{'lora_request': {wanted!r}}}"


def _extra(served: Served) -> str:
    config = {"lora_target_modules": list(TARGETS), "max_lora_rank": served.rank, "max_loras": 1, "max_cpu_loras": 1}
    text: str = yaml.safe_dump({"lora_config": config}, sort_keys=False)
    return text
