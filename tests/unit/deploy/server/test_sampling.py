"""What a request may ask of the sampler, and how its metrics are counted."""

import math
from typing import Any

import pytest

from studio.deploy.server.errors import WireError
from studio.deploy.server.metrics import Histogram, Metrics, Served
from studio.deploy.server.pick import Pick
from studio.deploy.server.sampling import Sampling
from studio.deploy.server.stream import dumped

BAD: list[dict[str, Any]] = [
    {"temperature": math.nan},
    {"temperature": math.inf},
    {"temperature": -0.1},
    {"repetition_penalty": 0.0},
    {"frequency_penalty": 2.1},
    {"presence_penalty": -2.1},
    {"top_p": 0.0},
    {"typical_p": 1.1},
    {"top_k": -1},
    {"top": 21},
    {"seed": -1},
    {"seed": 1 << 64},
    {"stop": ("a",) * 5},
    {"stop": ("a" * 1001,)},
    {"logit_bias": {1: 101.0}},
    {"logit_bias": {1: math.nan}},
    {"logit_bias": dict.fromkeys(range(1025), 0.0)},
    {"max_new_tokens": 0},
]


@pytest.mark.parametrize("asked", BAD)
def test_what_is_out_of_range_is_a_validation_error(asked: dict[str, Any]) -> None:
    with pytest.raises(WireError) as refused:
        Sampling(**asked)
    assert (refused.value.status, refused.value.error_type) == (422, "validation")


def test_a_sampled_request_without_a_seed_gets_one_that_can_be_told() -> None:
    assert Pick(Sampling(), [1]).seed is None
    assert Pick(Sampling(temperature=1.0, seed=7), [1]).seed == 7
    found = Pick(Sampling(temperature=1.0), [1]).seed
    assert found is not None and 0 <= found < 1 << 64


def test_the_same_seed_gives_the_same_chances() -> None:
    first, second = (Pick(Sampling(temperature=1.0, seed=3), [1]) for _ in range(2))
    assert [first.chance() for _ in range(5)] == [second.chance() for _ in range(5)]


def test_a_histogram_counts_what_is_at_most_its_bound() -> None:
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.add(value)
    assert histogram.lines("x") == [
        "# TYPE x histogram",
        'x_bucket{le="1"} 2',
        'x_bucket{le="2"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12",
        "x_count 4",
    ]


def test_the_metrics_page_tells_who_is_served_and_who_waits() -> None:
    metrics = Metrics()
    metrics.served(Served(1.0, 0.1, 0.2, 0.7, prompt_tokens=5, generated_tokens=7))
    page = metrics.text(running=5, waiting=2).splitlines()
    assert "tgi_batch_current_size 3" in page and "tgi_queue_size 2" in page
    assert "tgi_request_mean_time_per_token_duration_sum 0.1" in page


def test_half_a_character_does_not_break_an_answer() -> None:
    assert dumped({"text": "\ud800x"}) == b'{"text":"?x"}'
