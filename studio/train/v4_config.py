"""A model's config.json for transformers 4.51: the keys it reads instead of transformers 5's, and what they cannot say.

Both libraries read the result alike; a key that the older one would not find is silently its default there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NESTED_CONFIGS = ("text_config",)
RENAMED = {
    "gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"},
    "qwen3_moe": {"num_local_experts": "num_experts"},
}
"""Keys that had another name for this model type."""
SCALINGS = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
"""Ways to stretch rotary positions that transformers 4.51 knows."""
PHI3_SCALINGS = ("default", "longrope")
LONGROPE_KEYS = ("short_factor", "long_factor")
PATTERNED = ("gemma3_text", "cohere2")
"""Model types whose sliding layers are told by a period: every n-th layer sees everything."""
BY_DEPTH = ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe")
"""Model types whose layers slide from `max_window_layers` on: transformers 4.51 does it with flash attention only."""
PER_LAYER_ROPE = ("gemma3_text",)
SLIDES = "sliding_attention"


def v4_config(found: dict[str, Any]) -> dict[str, Any]:
    """A model config with the keys transformers 4 reads: torch_dtype, rope_theta, rope_scaling."""
    config = dict(found)
    for name in NESTED_CONFIGS:
        if isinstance(config.get(name), dict):
            config[name] = v4_config(config[name])
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    rope = config.pop("rope_parameters", None)
    if rope:
        config |= _v4_rope(rope, config)
    if period := _period(config):
        config["sliding_window_pattern"] = period
    renamed = RENAMED.get(str(config.get("model_type")), {})
    return {renamed.get(key, key): value for key, value in config.items()}


def lost_in_v4(found: dict[str, Any]) -> list[str]:
    """What of this config transformers 4.51 has no word for, so that a model would answer differently there."""
    parts = [found, *(found[name] for name in NESTED_CONFIGS if isinstance(found.get(name), dict))]
    return [reason for part in parts for reason in _lost(part)]


def _lost(config: dict[str, Any]) -> Iterator[str]:
    kind, rope = str(config.get("model_type", "")), config.get("rope_parameters") or config.get("rope_scaling") or {}
    local = rope.get(SLIDES) or {} if _is_per_layer(rope) else {}
    if _is_per_layer(rope) and kind not in PER_LAYER_ROPE:
        yield "rotary positions of their own for each kind of layer"
    if (local.get("rope_type") or "default") != "default":
        yield "stretched rotary positions in its sliding layers"
    whole = (rope.get("full_attention") or {}) if _is_per_layer(rope) else rope
    stretched = str(whole.get("rope_type") or whole.get("type") or "default")
    if stretched not in SCALINGS or (
        kind == "phi3" and (stretched not in ("default", "longrope") or "factor" in whole)
    ):
        yield f"rotary positions stretched by {stretched}"
    if config.get("layer_types") and not _slides_as_v4_would(config, kind):
        yield "its order of sliding layers"
    if config.get("use_bidirectional_attention"):
        yield "attention to later tokens"


def _v4_rope(rope: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if _is_per_layer(rope):
        local = (rope.get(SLIDES) or {}).get("rope_theta")
        keys = {} if local is None else {"rope_local_base_freq": local}
        rope = rope.get("full_attention") or {}
    scaling = {key: value for key, value in rope.items() if key not in ("rope_theta", "partial_rotary_factor")}
    for name in ("rope_theta", "partial_rotary_factor"):
        if rope.get(name) is not None:
            keys[name] = rope[name]
    kind = scaling.get("rope_type", "default")
    if kind == "default" and set(scaling) <= {"rope_type"}:
        return {**keys, "rope_scaling": None}
    if config.get("model_type") == "phi3" and all(name in scaling for name in LONGROPE_KEYS):
        return keys | _phi3_rope(scaling, config)
    return {**keys, "rope_scaling": {"type": kind, **scaling}}


def _phi3_rope(scaling: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Phi-3 refuses any key beyond these three; the length it was trained on stands beside them."""
    trained = scaling.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
    keys = {"original_max_position_embeddings": trained} if trained else {}
    return keys | {"rope_scaling": {"type": "longrope", **{name: scaling[name] for name in LONGROPE_KEYS}}}


def _is_per_layer(rope: dict[str, Any]) -> bool:
    """One entry per kind of layer, as in Gemma 3."""
    return any(isinstance(value, dict) for value in rope.values())


def _period(config: dict[str, Any]) -> int:
    """Every how many layers one sees everything; 0 where the model type has no such rule, or its layers follow none."""
    layers = config.get("layer_types") or []
    if config.get("model_type") not in PATTERNED or not layers:
        return 0
    first = next((at for at, kind in enumerate(layers, start=1) if kind != SLIDES), len(layers) + 1)
    return first if all((kind == SLIDES) == bool(at % first) for at, kind in enumerate(layers, start=1)) else 0


def _slides_as_v4_would(config: dict[str, Any], kind: str) -> bool:
    slides = [layer == SLIDES for layer in config["layer_types"]]
    if kind in PATTERNED:
        return _period(config) > 0
    if kind == "gemma2":
        return slides == [at % 2 == 0 for at in range(len(slides))]
    return not any(slides) if kind in BY_DEPTH else len(set(slides)) == 1
