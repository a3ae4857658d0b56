"""The cache takes what is free: most of a GPU, a little of a machine that is shared."""

from types import SimpleNamespace

import pytest

from studio.deploy.server.cache import HOST_BYTES, PAGE_TOKENS, PREFILL_TOKENS, cache_tokens, free_bytes, kv_bytes

GIB = 1 << 30
LLAMA_8B = SimpleNamespace(num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, hidden_size=4096)


def test_a_token_of_an_8_b_model_in_half_precision_takes_128_kib() -> None:
    assert kv_bytes(LLAMA_8B, 2) == 128 * 1024
    assert kv_bytes(SimpleNamespace(**vars(LLAMA_8B) | {"head_dim": 64}), 2) == 64 * 1024
    assert kv_bytes(SimpleNamespace(num_hidden_layers=2, num_attention_heads=4, hidden_size=64), 4) == 2 * 2 * 64 * 4


def test_a_gpu_gives_most_of_what_the_weights_left() -> None:
    found = cache_tokens(60 * GIB, "cuda", 128 * 1024, 2, 4096)
    taken = found * (128 * 1024 + 2 * PREFILL_TOKENS + 8)
    assert 47 * GIB < taken <= 48 * GIB


def test_a_bigger_gpu_keeps_more_in_mind() -> None:
    sizes = [cache_tokens(free * GIB, "cuda", 128 * 1024, 2, 4096) for free in (10, 20, 40, 80)]
    assert sizes == sorted(set(sizes))


def test_a_tiny_model_on_a_gpu_is_not_given_a_cache_nobody_can_fill() -> None:
    assert cache_tokens(80 * GIB, "cuda", 64, 2, 4096) == 1 << 20


@pytest.mark.parametrize("free", [1, 4, 64])
def test_main_memory_gives_half_of_what_is_free_and_a_gibibyte_at_most(free: int) -> None:
    found = cache_tokens(free * GIB, "cpu", 96 * 1024, 4, 512)
    assert found * (96 * 1024 + 4 * PREFILL_TOKENS + 8) <= min(HOST_BYTES, free * GIB // 2)


def test_one_whole_request_always_fits() -> None:
    for device in ("cpu", "cuda"):
        assert cache_tokens(0, device, 1 << 20, 2, 8192) == 8192 + 2 * PAGE_TOKENS


def test_this_machine_has_memory_left() -> None:
    assert free_bytes("cpu") > 0
