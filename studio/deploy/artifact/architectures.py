"""Which target can serve which architecture, and with adapters or not: one row per model type of config.json.

Where the rows come from:
- embedded: run here. Random tiny models of every row marked so, continuous batching against plain greedy generation
  with transformers 5.23 (tests/benchmarks/test_architectures.py).
- tgi, endpoints: TGI 3.3.7's own source: its list of models, and transformers 4.51 for its general path.
- vllm, vllm_server: "Supported models" in vLLM's documentation, read in November 2026, with its LoRA column.
- tensorrt_llm, sglang: the tables of their documentation, read in November 2026, which tell nothing of adapters.
Only the embedded server was run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.deploy.artifact import tgi_facts

Serves = Literal["yes", "slow", "no", "unknown"]
EMBEDDED = """
    llama mistral mixtral gemma gemma2 gemma3_text phi phi3 phimoe granite granitemoe qwen2 qwen2_moe qwen3 qwen3_moe
    cohere cohere2 gpt2 gpt_bigcode starcoder2 olmo olmo2 olmo3 olmoe smollm3 glm glm4
"""
"""Model types whose batched answers were token for token those of plain generation."""
EMBEDDED_WRONG = "stablelm gpt_neox opt nemotron falcon gptj bloom"
"""Model types whose batched answers were others, or stopped: GPT-J and Bloom without any error."""
VLLM_ADAPTERS = """
    llama mistral mixtral gemma gemma2 gemma3_text phi phi3 phimoe granite granitemoe qwen2 qwen2_moe qwen3 qwen3_moe
    cohere cohere2 deepseek_v2 deepseek_v3 glm glm4 nemotron opt olmo3
"""
VLLM_PLAIN = "gpt2 gptj gpt_neox bloom mpt falcon dbrx mamba mamba2 olmoe"
VLLM_GENERAL = "gpt_bigcode olmo olmo2 smollm3 starcoder2"
"""Served by its transformers backend, officially, adapters included."""
TENSORRT_LLM = """
    llama mistral mixtral gemma3_text phi3 granite qwen2 qwen3 qwen3_moe cohere2 nemotron deepseek_v3 olmo3 smollm3
"""
SGLANG = """
    llama mistral mixtral gemma gemma2 gemma3_text phi phi3 phimoe granite granitemoe qwen2 qwen2_moe qwen3 qwen3_moe
    cohere dbrx deepseek_v2 deepseek_v3 glm4 olmo2 olmo3 olmoe stablelm starcoder2 persimmon baichuan
"""
NAMES = {
    "embedded": "The embedded server",
    "tgi": "TGI 3.3.7",
    "endpoints": "TGI 3.3.7 on Inference Endpoints",
    "vllm": "vLLM",
    "vllm_server": "vLLM",
    "tensorrt_llm": "TensorRT-LLM",
    "sglang": "SGLang",
    "external": "An external server",
}
OFFERED = ("embedded", "vllm", "tgi")
"""Targets that are offered instead of one that cannot, in this order."""
TGI_KINDS, VLLM_KINDS = ("tgi", "endpoints"), ("vllm", "vllm_server")


@dataclass(frozen=True)
class Support:
    """What one target makes of one architecture."""

    serves: Serves
    adapters: bool = False
    """Whether it can lay a LoRA adapter over this architecture."""
    reason: str = ""
    """Why not, or why slowly."""


def support(model_type: str, kind: str) -> Support:
    """What the target of this kind makes of this model type."""
    known = ARCHITECTURES.get(model_type, {}).get(kind)
    return known or _unlisted(model_type, kind)


def able(model_type: str, but: str = "", adapter: bool = False) -> str:
    """A kind of target that can serve this model type; "" if none of those that are offered can."""
    for kind in OFFERED:
        found = support(model_type, kind)
        if kind != but and found.serves in ("yes", "slow") and (found.adapters or not adapter):
            return kind
    return ""


def title(kind: str) -> str:
    """A target's name in a sentence."""
    return NAMES.get(kind, kind)


def _unlisted(model_type: str, kind: str) -> Support:
    named = model_type or "this model's type"
    if kind == "external":
        return Support("unknown", True, "Nobody can see from here what that server can load; its gates will tell.")
    if kind in TGI_KINDS:
        return Support("no", reason=f"TGI 3.3.7 does not know the architecture {named}; it is not developed any more.")
    if kind == "embedded" and model_type in EMBEDDED_WRONG.split():
        return Support("no", reason=f"Answered in batches, {named} answers otherwise than it was trained to.")
    if kind == "embedded":
        return Support("unknown", reason=f"The embedded server was not tried with {named}; the gates will tell.")
    if kind in NAMES:
        return Support("no", reason=f"{title(kind)}'s documentation does not list the architecture {named}.")
    return Support("unknown", reason=f"Nothing is known here of what {kind} can load.")


def _tgi(model_type: str) -> Support:
    if model_type in tgi_facts.NATIVE.split():
        return Support("yes", model_type in tgi_facts.ADAPTER_TYPES.split())
    if model_type in tgi_facts.GENERAL.split():
        return Support("slow", reason=f"TGI serves {model_type} by its slower general path: one GPU, no adapters.")
    return _unlisted(model_type, "tgi")


def _vllm(model_type: str) -> Support:
    if model_type in VLLM_ADAPTERS.split():
        return Support("yes", True)
    if model_type in VLLM_PLAIN.split():
        return Support("yes", reason=f"vLLM's documentation lists {model_type} without adapters.")
    if model_type in VLLM_GENERAL.split():
        return Support("slow", True, f"vLLM serves {model_type} by its transformers backend.")
    return _unlisted(model_type, "vllm")


def _listed(model_type: str, kind: str, types: str) -> Support:
    return Support("yes") if model_type in types.split() else _unlisted(model_type, kind)


def _row(model_type: str) -> dict[str, Support]:
    return {
        "embedded": _listed(model_type, "embedded", EMBEDDED),
        **dict.fromkeys(TGI_KINDS, _tgi(model_type)),
        **dict.fromkeys(VLLM_KINDS, _vllm(model_type)),
        "tensorrt_llm": _listed(model_type, "tensorrt_llm", TENSORRT_LLM),
        "sglang": _listed(model_type, "sglang", SGLANG),
        "external": _unlisted(model_type, "external"),
    }


LISTS = (
    *(EMBEDDED, EMBEDDED_WRONG, tgi_facts.NATIVE, tgi_facts.GENERAL),
    *(VLLM_ADAPTERS, VLLM_PLAIN, VLLM_GENERAL, TENSORRT_LLM, SGLANG),
)
ARCHITECTURES: dict[str, dict[str, Support]] = {
    model_type: _row(model_type) for model_type in sorted({name for names in LISTS for name in names.split()})
}
"""Model type → kind of target → what it makes of it. What is not in it, `support` answers for."""
