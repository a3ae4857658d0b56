"""Which architectures continuous batching answers rightly: two prompts at once against plain greedy generation.

What the embedded server is promised to serve (studio/deploy/artifact/architectures.py) is what was seen here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

from studio.deploy.artifact import support
from studio.train.portable import make_portable
from tests.fakes.tiny_architectures import ARCHITECTURES, build, prompts

pytestmark = pytest.mark.slow
NEW_TOKENS = 12
LENGTHS = (40, 70)


def test_the_embedded_server_is_promised_what_batching_answers_rightly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.disable(logging.CRITICAL)  # an architecture that fails inside the batch says so at length
    asked = [prompt[:length] for prompt, length in zip(prompts(), LENGTHS, strict=True)]
    found = {name: answers_alike(name, tmp_path / name, asked) for name in ARCHITECTURES}
    logging.disable(logging.NOTSET)
    with capsys.disabled():
        print(f"\ntransformers {transformers.__version__}, torch {torch.__version__}, batched beside plain:")
        print("\n".join(f"{name}: {'same' if same else 'DIFFERENT'}" for name, same in found.items()))
    promised = {name: support(kind, "embedded").serves for name, (kind, _) in ARCHITECTURES.items()}
    assert {name: "yes" if same else "no" for name, same in found.items()} == promised


def answers_alike(name: str, folder: Path, asked: list[list[int]]) -> bool:
    """Whether batched answers are token for token those of plain generation."""
    build(name, folder)
    make_portable(folder)
    return batched(folder, asked) == [plain(folder, prompt) for prompt in asked]


def plain(folder: Path, prompt: list[int]) -> list[int]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": None}
    ids = torch.tensor([prompt])
    with torch.no_grad():
        whole: list[int] = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0].tolist()
    return whole[len(prompt) :]


def batched(folder: Path, asked: list[list[int]]) -> list[list[int]]:
    model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
    generation = GenerationConfig(max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=-1)
    batching = ContinuousBatchingConfig(num_blocks=64, page_size=32, max_batch_tokens=256)
    with torch.no_grad():
        found = model.generate_batch(inputs=asked, generation_config=generation, continuous_batching_config=batching)
    return [list(output.generated_tokens) for output in found.values()]
