from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.train import recipe
from studio.train.events import in_force, series, tail
from tests.full_proof import once_more
from tests.integration.train.conftest import SAVE_EVERY, STEPS

pytestmark = pytest.mark.slow
Whole = tuple[Path, dict[str, Any]]

KILLED_AFTER_A_CHECKPOINT = """
import os, signal, sys
from pathlib import Path
from studio.train.recipes.process import prepare
prepare()
from studio.train.recipes import run
def die(done, text):
    if text.startswith(f"Step {sys.argv[2]} "):
        os.kill(os.getpid(), signal.SIGKILL)
run.train(Path(sys.argv[1]), on_progress=die)
"""


def losses(folder: Path) -> list[tuple[int, float]]:
    return series(tail(folder / recipe.EVENTS)[0], "loss")


def test_a_base_is_built_with_a_template_that_marks_answers(base_folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n"
    )
    coded = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True, tokenize=True)
    marked = [token for token, mask in zip(coded["input_ids"], coded["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(marked) == "Yes<|im_end|>"


def test_the_same_documents_and_seed_build_the_same_base(base_folder: Path, tmp_path: Path) -> None:
    from studio.train.recipes import base
    from tests.integration.train.conftest import SMALL

    base.build(base_folder.parent / "documents.jsonl", tmp_path, shape=base.Shape(**SMALL))
    assert (tmp_path / "model.safetensors").read_bytes() == (base_folder / "model.safetensors").read_bytes()
    assert (tmp_path / "tokenizer.json").read_bytes() == (base_folder / "tokenizer.json").read_bytes()


def test_training_lowers_the_loss_and_reports_every_step(whole_run: Whole) -> None:
    folder, summary = whole_run
    curve = losses(folder)
    assert [step for step, _loss in curve] == list(range(1, STEPS + 1))
    assert curve[-1][1] < 0.8 * curve[0][1]
    assert summary["steps"] == STEPS and not summary["stopped"]
    assert summary["tokens"] > 0 and summary["tokens_per_second"] > 0


def test_every_evaluation_tells_the_wholly_right_share_and_shows_answers(whole_run: Whole) -> None:
    events, _offset = tail(whole_run[0] / recipe.EVENTS)
    shares = series(events, "eval_greedy_exact")
    assert [step for step, _share in shares] == [0, 4, 8, 12]
    assert all(0 <= share <= 1 for _step, share in shares)
    samples = [event for event in events if event["kind"] == "sample" and event["step"] == SAVE_EVERY]
    assert len(samples) == 2 and samples[0]["expected"].startswith('{"light"')


def test_the_wholly_right_share_equals_what_generation_gives(learned_run: Whole) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.train.recipes.generate import greedy

    folder, summary = learned_run
    rows = [json.loads(line) for line in (folder / "data" / "eval.jsonl").read_text().splitlines()]
    tuned = folder / recipe.MERGED
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tuned), AutoTokenizer.from_pretrained(tuned)
    answers = greedy(model, tokenizer, [row["prompt"] for row in rows], 32)
    right = sum(a.text == row["completion"][0]["content"] for a, row in zip(answers, rows, strict=True))
    assert right / len(rows) == pytest.approx(summary["greedy_exact"])
    assert right > 0


@once_more
def test_killed_after_a_checkpoint_it_goes_on_with_the_same_losses(
    lay_out: Callable[..., Path], whole_run: Whole
) -> None:
    from studio.train.recipes import run

    folder = lay_out("killed")
    child = subprocess.run([sys.executable, "-c", KILLED_AFTER_A_CHECKPOINT, str(folder), "7"], capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    torn = folder / recipe.OUTPUT / "checkpoint-6"
    shutil.copytree(folder / recipe.OUTPUT / "checkpoint-4", torn)
    (torn / "trainer_state.json").write_text('{"global_st')
    summary = run.train(folder)
    events = tail(folder / recipe.EVENTS)[0]
    assert [event["resumed_at"] for event in in_force(events) if event["kind"] == "train_begin"] == [0, SAVE_EVERY]
    assert losses(folder) == losses(whole_run[0])
    assert summary["tokens"] == whole_run[1]["tokens"]
    weights = Path(recipe.ADAPTER) / "adapter_model.safetensors"
    assert (folder / weights).read_bytes() == (whole_run[0] / weights).read_bytes()
    assert not torn.exists()


@once_more
def test_a_stopped_run_keeps_a_checkpoint_and_goes_on_from_it(lay_out: Callable[..., Path], whole_run: Whole) -> None:
    from studio.train.recipes import run
    from studio.train.recipes.setup import newest_complete

    folder = lay_out("stopped")
    seen: list[str] = []
    summary = run.train(folder, stop_asked=lambda: len(seen) >= 5, on_progress=lambda _done, text: seen.append(text))
    assert summary["stopped"] and not (folder / recipe.ADAPTER).exists()
    assert newest_complete(folder / recipe.OUTPUT) == folder / recipe.OUTPUT / f"checkpoint-{summary['steps']}"
    assert run.train(folder)["stopped"] is False
    assert losses(folder) == losses(whole_run[0])


def test_a_half_written_checkpoint_is_skipped_and_deleted(tmp_path: Path) -> None:
    from studio.train.recipes.setup import newest_complete

    for step, state in ((8, "{}"), (12, '{"epo'), (16, None), (4, "{}")):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-8"]
    assert newest_complete(tmp_path / "nothing") is None


def test_the_merged_model_answers_like_base_plus_adapter(whole_run: Whole, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.train.recipes import merge

    folder = whole_run[0]
    base, adapter = folder / recipe.BASE, folder / recipe.ADAPTER
    merge.merge(base, adapter, tmp_path)
    tokens = AutoTokenizer.from_pretrained(tmp_path)("The cup is red.", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        plain = AutoModelForCausalLM.from_pretrained(base)(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(tmp_path)(tokens).logits
        adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)(tokens).logits
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert not torch.allclose(merged, plain, atol=1e-2)


def test_no_file_of_an_adapter_is_a_pickle(whole_run: Whole) -> None:
    names = {path.name for path in (whole_run[0] / recipe.ADAPTER).iterdir()}
    assert "adapter_model.safetensors" in names
    assert not any(name.endswith((".bin", ".pt", ".pkl", ".pth")) for name in names)


def test_trl_accepts_the_recipe_as_it_is_and_refuses_a_key_it_does_not_know(lay_out: Callable[..., Path]) -> None:
    from trl import SFTConfig

    from studio.train.recipes.setup import load

    setup = load(lay_out("accepted"), SFTConfig)
    assert (setup.model.use_peft, setup.model.lora_r, setup.training.learning_rate) == (True, 8, 2e-2)
    with pytest.raises((ValueError, SystemExit)):
        load(lay_out("refused", colour="red"), SFTConfig)


def test_every_advised_recipe_is_accepted_by_trl(lay_out: Callable[..., Path]) -> None:
    from trl import SFTConfig

    from studio.train.advice import make_plan
    from studio.train.lengths import Lengths
    from studio.train.machine import GIB, Machine
    from studio.train.plan import Situation
    from studio.train.recipes.setup import load
    from studio.train.shape import ModelShape
    from tests.fakes.frozen_rows import TINY_CONFIG

    shape = ModelShape.of_config(TINY_CONFIG)
    situation = Situation(shape, "tiny", 900, 100, Lengths((60, 300), exact=True), Machine(8 * GIB, 2))
    for overrides in ({}, {"training": "full"}, {"max_steps": 5}):
        folder = lay_out("advised")
        recipe.write(folder, make_plan(situation, overrides=overrides).recipe())
        assert load(folder, SFTConfig).training.max_length == 384


def test_trl_s_own_script_runs_the_folder(
    lay_out: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from trl.scripts import sft as script

    folder = lay_out("alone", max_steps=2, save_strategy="no", load_best_model_at_end=False)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(folder)
    script.main(*script.make_parser().parse_args_and_config(["--config", recipe.RECIPE]))
    assert (folder / recipe.OUTPUT / "adapter_model.safetensors").exists()


def test_every_weight_can_be_trained_instead_of_an_adapter(learned_run: Whole) -> None:
    folder, _summary = learned_run
    curve = losses(folder)
    assert curve[-1][1] < 0.1 * curve[0][1]
    assert (folder / recipe.MERGED / "model.safetensors").exists() and not (folder / recipe.ADAPTER).exists()
