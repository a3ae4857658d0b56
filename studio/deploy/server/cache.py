"""How many tokens the server keeps in mind: the size of the key-value cache, from the memory that is free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PAGE_TOKENS = 32
PREFILL_TOKENS = 1024
HOST_BYTES = 1 << 30
DEVICE_SHARE = 0.8
HOST_SHARE = 0.5
MOST_TOKENS = {"cpu": 32_768, "cuda": 1 << 20}
FEWEST_PAGES = 64


def cache_tokens(free: int, device: str, per_token: int, itemsize: int, max_total: int) -> int:
    """On a GPU 80 % of what the weights left free; in main memory half of it and 1 GiB at most, for it is shared.

    Each cached token also costs a column of the attention mask and of the read index, which the engine lays out for a
    full step. At least one whole request always fits: a server that cannot answer any should fail at its start.
    """
    share = free * DEVICE_SHARE if device == "cuda" else min(HOST_BYTES, free * HOST_SHARE)
    column = PREFILL_TOKENS * itemsize + 8
    room = min(int(share) // (per_token + column), MOST_TOKENS[device])
    fewest = max(max_total + 2 * PAGE_TOKENS, FEWEST_PAGES * PAGE_TOKENS)
    return max(room, fewest)


def kv_bytes(config: Any, itemsize: int) -> int:
    """Bytes of one token's keys and values in all layers."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * itemsize)


def free_bytes(device: str) -> int:
    """Memory nobody uses now: the GPU's, or the machine's."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    meminfo = Path("/proc/meminfo")
    for line in meminfo.read_text().splitlines() if meminfo.exists() else []:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2 * HOST_BYTES
