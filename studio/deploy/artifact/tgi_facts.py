"""What is known of TGI 3.3.7, its last release: images, options, the architectures and adapter layers it has code for.

Read in its source (server/text_generation_server/models, launcher, Dockerfiles); nothing of it changes any more.
"""

from __future__ import annotations

VERSION = "3.3.7"
IMAGE = f"ghcr.io/huggingface/text-generation-inference:{VERSION}"
"""For NVIDIA GPUs with CUDA 12.2 or newer."""
CPU_IMAGE = f"{IMAGE}-intel-cpu"
"""For x86 CPUs, with Intel's extension of PyTorch."""
MODEL_FOLDER = "/data/model"
"""Where the weights are mounted inside the container."""
MODELS = "/models"
"""Where the studio's own containers find weights, each under the name it serves: TGI calls itself by that path."""
PORT = 80
"""The port inside the container."""
STOP_GRACE_S = 95
"""TGI lets requests finish for up to 90 s after it is asked to stop."""
TRANSFORMERS = "4.51.3"

# Model types, as in config.json.
NATIVE = """
    llama llama4 mistral mixtral gemma gemma2 gemma3 gemma3_text phi phi3 phimoe granite qwen2 cohere dbrx deepseek_v2
    deepseek_v3 falcon starcoder2 gpt_bigcode baichuan mamba opt t5 bloom mpt gpt2 gpt_neox gptj
"""
GENERAL = "qwen3 qwen3_moe olmo2 glm glm4 cohere2 stablelm nemotron persimmon codegen"
"""Served by transformers' own code: slower, on one GPU, without adapters."""
ADAPTER_TYPES = "llama mistral phi3 granite qwen2 gemma3_text"
"""Model types whose own code in TGI was seen to look adapters up; for any other, merging is the safe way."""
ADAPTER_LAYERS = "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj qkv_proj c_proj c_fc"
"""Layers in which TGI applies an adapter; weights for any other are dropped without a word."""
