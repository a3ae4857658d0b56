"""Tokens are picked by each request's own rules, measured against transformers' processors."""

from types import SimpleNamespace
from typing import Any

import pytest

from studio.deploy.server.pick import Pick
from studio.deploy.server.sampling import Sampling

pytestmark = pytest.mark.slow
SCORES = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0]
DRAWS = 4000


def step(picks: list[Pick], scores: list[list[float]] | None = None) -> Any:
    """One step of the batch; the scores the engine gets back."""
    import torch

    from studio.deploy.server.sampler import Sampler

    sampler = Sampler()
    states = [
        SimpleNamespace(state=SimpleNamespace(logit_processor_kwargs={"pick": pick}), has_new_token=True)
        for pick in picks
    ]
    sampler.prepare_tensor_args(states, None)
    return sampler(None, torch.tensor(scores or [SCORES] * len(picks)), None)


def drawn(temperature: float = 1.0, **asked: Any) -> list[float]:
    """How often each token is drawn."""
    picks = [Pick(Sampling(temperature=temperature, seed=seed, **asked), []) for seed in range(DRAWS)]
    step(picks)
    return [sum(pick.tokens == [token] for pick in picks) / DRAWS for token in range(len(SCORES))]


def expected(*processors: Any) -> list[float]:
    import torch

    scores = torch.tensor([SCORES])
    for processor in processors:
        scores = processor(None, scores)
    found: list[float] = scores.softmax(-1)[0].tolist()
    return found


def test_tokens_are_drawn_from_the_distribution_that_transformers_processors_make() -> None:
    from transformers.generation import logits_process as theirs

    warm = theirs.TemperatureLogitsWarper(1.7)
    cases = [
        ({"temperature": 1.7}, [warm]),
        ({"top_k": 3}, [theirs.TopKLogitsWarper(3)]),
        ({"top_p": 0.8}, [theirs.TopPLogitsWarper(0.8)]),
        ({"typical_p": 0.7}, [theirs.TypicalLogitsWarper(0.7)]),
        (
            {"temperature": 1.7, "top_k": 4, "top_p": 0.9},
            [warm, theirs.TopKLogitsWarper(4), theirs.TopPLogitsWarper(0.9)],
        ),
    ]
    for asked, processors in cases:
        assert drawn(**asked) == pytest.approx(expected(*processors), abs=0.03), asked


def test_the_engine_is_made_to_take_what_was_drawn() -> None:
    picks = [Pick(Sampling(temperature=5.0, seed=seed), []) for seed in range(50)]
    scores = step(picks)
    assert scores.argmax(-1).tolist() == [pick.tokens[0] for pick in picks]
    assert len({pick.tokens[0] for pick in picks}) > 1


def test_a_greedy_request_is_left_alone_whoever_is_beside_it() -> None:
    greedy, sampled = Pick(Sampling(), []), Pick(Sampling(temperature=3.0, seed=1), [])
    cut = Pick(Sampling(temperature=3.0, top_k=2, seed=1), [])
    scores = step([sampled, greedy, cut])
    assert greedy.tokens == [0] and scores[1].tolist() == SCORES
    alone = Pick(Sampling(temperature=3.0, seed=1), [])
    step([alone])
    assert alone.tokens == sampled.tokens


def test_penalties_are_openais_and_transformers_own() -> None:
    import torch
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    from studio.deploy.server.sampler import _adjust

    pick = Pick(Sampling(repetition_penalty=1.3), [0, 5])
    row = torch.tensor(SCORES)
    _adjust(row, pick)
    theirs = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([[0, 5]]), torch.tensor([SCORES]))[0]
    assert row.tolist() == pytest.approx(theirs.tolist())
    pick = Pick(Sampling(frequency_penalty=0.5, presence_penalty=0.25, logit_bias={4: 3.0}), [1])
    for token in (0, 0, 2):
        pick.take(token)
    row = torch.tensor(SCORES)
    _adjust(row, pick)
    assert row.tolist() == pytest.approx([2.0 - 1.25, 1.0, 0.5 - 0.75, 0.0, 2.0, -3.0])


def test_likelihoods_are_told_before_anything_is_changed() -> None:
    import torch

    asked = Sampling(temperature=4.0, top_k=1, logit_bias={3: 100.0}, seed=1, logprobs=True, top=2)
    pick, quiet = Pick(asked, []), Pick(Sampling(), [])
    step([pick, quiet])
    own = torch.tensor(SCORES).log_softmax(-1).tolist()
    assert pick.tokens == [3] and pick.logprobs == [pytest.approx(own[3])]
    assert pick.tops == [[(0, pytest.approx(own[0])), (1, pytest.approx(own[1]))]]


def test_a_request_that_is_still_reading_its_prompt_counts_as_begun() -> None:
    from studio.deploy.server.sampler import Sampler

    pick = Pick(Sampling(), [])
    state = SimpleNamespace(state=SimpleNamespace(logit_processor_kwargs={"pick": pick}), has_new_token=False)
    Sampler().prepare_tensor_args([state], None)
    assert pick.started > 0 and pick.tokens == []
