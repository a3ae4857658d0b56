"""Tiny random models of many architectures, for tests of the portable form: `build(name, folder)`.

Weights are large enough that logits differ clearly, and prompts long enough that a wrong rotary base shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VOCABULARY = 260
PROMPT_TOKENS = 96
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "original_max_position_embeddings": 32,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 2,
}


def _plain(theta: float) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta}}


PER_LAYER = {
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
    }
}
SLIDING = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 16}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-2": ("llama", _plain(10000.0) | {"num_key_value_heads": 4}),
    "llama-3": ("llama", {"rope_parameters": LLAMA_3}),
    "qwen2": ("qwen2", _plain(1000000.0)),
    "qwen3": ("qwen3", _plain(1000000.0) | {"head_dim": 16, "tie_word_embeddings": True}),
    "mistral": ("mistral", _plain(1000000.0) | {"sliding_window": None, "head_dim": 16}),
    "gemma": ("gemma", _plain(20000.0) | {"head_dim": 16}),
    "gemma2": ("gemma2", _plain(20000.0) | SLIDING | {"head_dim": 16, "query_pre_attn_scalar": 16}),
    "gemma3": ("gemma3_text", PER_LAYER | SLIDING | {"head_dim": 16, "query_pre_attn_scalar": 16}),
    "phi": ("phi", {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.5}}),
    "phi3": ("phi3", _plain(50000.0) | {"sliding_window": None}),
    "granite": ("granite", _plain(50000.0) | {"attention_multiplier": 0.25, "residual_multiplier": 0.5}),
    "phi3-long": (
        "phi3",
        {"original_max_position_embeddings": 32, "sliding_window": None}
        | {
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 50000.0,
                "original_max_position_embeddings": 32,
                "short_factor": [1.0, 1.1] * 4,
                "long_factor": [1.5, 2.0] * 4,
            }
        },
    ),
    "qwen3-yarn": (
        "qwen3",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1000000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
            },
            "head_dim": 16,
        },
    ),
    "llama-linear": ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 20000.0, "factor": 2.0}}),
    "qwen2-sliding": (
        "qwen2",
        _plain(1000000.0) | {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
    ),
    "cohere2": ("cohere2", _plain(50000.0) | SLIDING),
    "gpt2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "n_inner": 96}),
    "starcoder2": ("starcoder2", _plain(100000.0) | {"sliding_window": None}),
    "mixtral": ("mixtral", _plain(50000.0) | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen3_moe": (
        "qwen3_moe",
        _plain(1000000.0)
        | {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
        | {"norm_topk_prob": True},
    ),
    "olmo2": ("olmo2", _plain(500000.0)),
    "stablelm": (
        "stablelm",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.25}},
    ),
    "cohere": ("cohere", _plain(50000.0)),
    "gpt_neox": (
        "gpt_neox",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.25}},
    ),
    "opt": ("opt", {"ffn_dim": 96, "word_embed_proj_dim": 64, "do_layer_norm_before": True}),
    "smollm3": ("smollm3", _plain(2000000.0)),
    "olmo": ("olmo", _plain(50000.0)),
    "olmo3": ("olmo3", _plain(50000.0) | SLIDING),
    "olmoe": ("olmoe", _plain(50000.0) | {"num_experts": 4, "num_experts_per_tok": 2}),
    "granitemoe": ("granitemoe", _plain(50000.0) | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2_moe": (
        "qwen2_moe",
        _plain(1000000.0)
        | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
        | {"shared_expert_intermediate_size": 32},
    ),
    "phimoe": ("phimoe", _plain(50000.0) | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "nemotron": (
        "nemotron",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.5}},
    ),
    "glm": (
        "glm",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.5}}
        | {"head_dim": 16},
    ),
    "gpt_bigcode": ("gpt_bigcode", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "n_inner": 96}),
    "gptj": ("gptj", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "n_inner": 96, "rotary_dim": 8}),
    "falcon": ("falcon", _plain(50000.0)),
    "bloom": ("bloom", {"n_layer": 2, "n_head": 4}),
    "glm4": (
        "glm4",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.5}}
        | {"head_dim": 16},
    ),
}
GPT2_LIKE = ("gpt2", "gpt_bigcode", "gptj")
GPT2_NAMES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")


def build(name: str, folder: Path) -> None:
    """A model of this architecture with its tokenizer, saved as transformers 5 saves it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, own = ARCHITECTURES[name]
    common = {key: value for key, value in COMMON.items() if kind not in GPT2_LIKE or key not in GPT2_NAMES}
    torch.manual_seed(sum(map(ord, name)))
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **common | own))
    torch.manual_seed(7)
    for key, parameter in model.named_parameters():
        mean = 1.0 if parameter.dim() == 1 and key.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, mean, 0.25 if parameter.dim() > 1 else 0.1)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def tokenizer() -> Any:
    """Bytes and a few special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = ["<|bos|>", "<|end|>", "<|pad|>", "<|user|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    built = Tokenizer(models.BPE({token: at for at, token in enumerate([*specials, *alphabet])}, []))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    built.add_special_tokens(specials)
    made = PreTrainedTokenizerFast(tokenizer_object=built, eos_token="<|end|>", pad_token="<|pad|>")
    made.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
    made.chat_template = "{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}"
    return made


def prompts() -> list[list[int]]:
    """Two fixed prompts that reach far enough for every rotary base to matter."""
    return [[(start + 37 * at * at + 11 * at) % VOCABULARY for at in range(PROMPT_TOKENS)] for start in (3, 101)]
