"""What a trainer chooses by itself: the same numbers with less work, told, and off when asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.errors import InvalidInput
from studio.train import recipe
from studio.train.events import series, tail
from tests.integration.train.conftest import conversation

pytestmark = pytest.mark.slow
FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
LAY_OUT = Callable[..., Path]


def models(base: Path, adapted: bool) -> tuple[Any, Any]:
    """The same model twice: with TRL's head, and with the compact head on top of it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    from studio.train.recipes.trainers.compact import add_compact_head
    from studio.train.recipes.trainers.dressing import plain

    made = []
    for compact in (False, True):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(base)
        settings = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", init_lora_weights=False)
        model = get_peft_model(model, settings) if adapted else model
        add_fused_lm_head(plain(model), outputs=FIELDS)
        if compact:
            add_compact_head(plain(model), FIELDS[1:])
        made.append(model)
    return made[0], made[1]


def batch(learned: float) -> dict[str, Any]:
    import torch

    source = torch.Generator().manual_seed(1)
    tokens = torch.randint(5, 300, (4, 24), generator=source)
    seen = torch.ones_like(tokens)
    seen[0, 15:] = 0
    labels = tokens.masked_fill(torch.rand(tokens.shape, generator=source) > learned, -100)
    return {"input_ids": tokens, "attention_mask": seen, "labels": labels.masked_fill(seen == 0, -100)}


@pytest.mark.parametrize("adapted", [False, True], ids=["every weight", "LoRA"])
@pytest.mark.parametrize("learned", [0.4, 0.0], ids=["some tokens", "no token"])
def test_the_compact_head_gives_what_trl_s_head_gives(base_folder: Path, adapted: bool, learned: float) -> None:
    import torch

    given = batch(learned)
    theirs, ours = models(base_folder, adapted)
    outputs = [model(**given, fused_lm_head=True, num_items_in_batch=30) for model in (theirs, ours)]
    for name in (*FIELDS, "loss", "label_mask"):
        assert torch.allclose(*(getattr(each, name).float() for each in outputs), atol=1e-5), name
    for each in outputs:
        each.loss.backward()
    for (name, one), other in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-6), name


def test_scores_over_a_vocabulary_too_big_to_hold_go_piece_by_piece(
    base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from studio.train.recipes.trainers import compact

    theirs, ours = models(base_folder, adapted=False)
    monkeypatch.setattr(compact, "MOST_SCORES", 1)
    losses = [model(**batch(0.4), fused_lm_head=True).loss for model in (theirs, ours)]
    assert torch.allclose(*losses, atol=1e-6)


def test_a_model_that_reshapes_its_scores_keeps_trl_s_head(base_folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from studio.train.recipes.trainers.compact import fits

    model = AutoModelForCausalLM.from_pretrained(base_folder)
    assert fits(model)
    model.config.final_logit_softcapping = 30.0
    assert not fits(model)
    assert not fits(AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=1))


def uneven(folder: Path, count: int = 96, name: str = recipe.TRAIN) -> None:
    """Rows of very different lengths."""
    source, rows = random.Random(6), []
    for _ in range(count):
        row = conversation(source)
        row["prompt"][0]["content"] += " It is." * source.choice((0, 0, 0, 1, 2, 8))
        rows.append(json.dumps(row))
    (folder / "data" / name).write_text("\n".join(rows) + "\n")


def picked(folder: Path) -> dict[str, str]:
    return {each["what"]: each["why"] for each in tail(folder / recipe.EVENTS)[0] if each["kind"] == "picked"}


@pytest.fixture(scope="module", autouse=True)
def short_runs_are_grouped_too() -> Iterator[None]:
    """Runs here are short, to be quick."""
    from studio.train.recipes.trainers import picks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picks, "FEW_STEPS", 0)
        yield


@pytest.fixture(scope="module")
def grouped_run(lay_out: LAY_OUT) -> tuple[Path, dict[str, Any]]:
    """Two epochs over rows of different lengths, nothing interrupted."""
    from studio.train.recipes import run

    folder = lay_out("grouped", max_steps=24, save_steps=9, eval_steps=9)
    uneven(folder)
    turned_off(folder, "parts")
    return folder, run.train(folder)


def turned_off(folder: Path, *names: str) -> None:
    """Let the trainer do without these choices."""
    recipe.write(folder, recipe_in(folder), {"samples": 2, "fast": dict.fromkeys(names, False)})


def test_a_run_says_what_it_chose_and_why(grouped_run: tuple[Path, dict[str, Any]]) -> None:
    chosen = picked(grouped_run[0])
    assert list(chosen) == ["compact head", "rows of like length in one batch"]
    assert "of a random batch would be padding" in chosen["rows of like length in one batch"]


def test_the_losses_are_those_of_trl_s_own_head(grouped_run: tuple[Path, dict[str, Any]], lay_out: LAY_OUT) -> None:
    from studio.train.recipes import run

    folder = lay_out("plain", max_steps=24, save_steps=9, eval_steps=9)
    uneven(folder)
    turned_off(folder, "compact_head")
    summary = run.train(folder)
    assert list(picked(folder)) == ["rows of like length in one batch"]
    same_curves(folder, grouped_run[0])
    assert summary["tokens"] == grouped_run[1]["tokens"]


def same_curves(one: Path, other: Path) -> None:
    for name in ("loss", "eval_loss", "eval_greedy_exact", "entropy"):
        first, second = (dict(series(tail(each / recipe.EVENTS)[0], name)) for each in (one, other))
        assert first == pytest.approx(second, abs=2e-4) and len(first) > 1, name


def test_batches_in_parts_of_like_length_learn_what_whole_random_batches_do(lay_out: LAY_OUT) -> None:
    from studio.train.recipes import run

    parted, whole = (lay_out(name, max_steps=24, save_steps=9, eval_steps=9) for name in ("parted", "whole"))
    for folder in (parted, whole):
        uneven(folder)
        uneven(folder, 16, recipe.EVAL)
    turned_off(whole, "parts", "group_by_length", "compact_head")
    summaries = [run.train(folder) for folder in (parted, whole)]
    assert list(picked(parted)) == ["compact head", "batches computed in parts of like length"] and not picked(whole)
    same_curves(parted, whole)
    assert summaries[0]["tokens"] == summaries[1]["tokens"]


@pytest.mark.parametrize("adapted", [False, True], ids=["every weight", "LoRA"])
def test_a_batch_in_parts_gives_the_whole_batch_s_answer_and_gradient(base_folder: Path, adapted: bool) -> None:
    import torch

    from studio.train.recipes.trainers import compact, parts
    from studio.train.recipes.trainers.dressing import plain

    given = batch(0.4)
    for row, length in enumerate((20, 3, 24, 4)):
        given["attention_mask"][row] = torch.arange(24) < length
    given["labels"] = given["labels"].masked_fill(given["attention_mask"] == 0, -100)
    theirs, ours = (models(base_folder, adapted)[0] for _ in range(2))
    compact.add_compact_head(plain(ours), FIELDS[1:], in_parts=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.cuts, "__defaults__", (4,))
        cut = parts.parts_of({name: given[name] for name in ("input_ids", "attention_mask")})
        assert [(rows.tolist(), length) for rows, length in cut] == [([1, 3], 4), ([0, 2], 24)]
        outputs = [model(**given, fused_lm_head=True, num_items_in_batch=30) for model in (theirs, ours)]
    for name in (*FIELDS, "loss", "label_mask"):
        assert torch.allclose(*(getattr(each, name).float() for each in outputs), atol=1e-5), name
    for each in outputs:
        each.loss.backward()
    for (name, one), other in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-6), name


def test_a_batch_stays_whole_where_it_cannot_be_cut_or_is_not_worth_it() -> None:
    import torch

    from studio.train.recipes.trainers.parts import parts_of

    tokens = torch.ones((2, 900), dtype=torch.long)
    seen = torch.stack([torch.arange(900) < length for length in (900, 10)]).long()
    assert len(parts_of({"input_ids": tokens, "attention_mask": seen, "use_cache": False})) == 2
    assert not parts_of({"input_ids": tokens, "attention_mask": seen.flip(1)})
    assert not parts_of({"input_ids": tokens, "attention_mask": seen, "position_ids": tokens})
    assert not parts_of({"input_ids": tokens, "attention_mask": torch.ones_like(tokens)})
    assert not parts_of({"input_ids": tokens})


def test_rows_are_cut_where_passes_and_padding_cost_least() -> None:
    from itertools import combinations

    from studio.train.recipes.trainers.parts import cuts

    def cost(lengths: list[int], ends: list[int]) -> int:
        bounds = zip([0, *ends], ends, strict=False)
        return sum(128 + lengths[end - 1] * (end - start) for start, end in bounds)

    source = random.Random(0)
    for _ in range(20):
        lengths = sorted(source.randint(1, 500) for _ in range(8))
        every = [[*inner, 8] for size in range(8) for inner in combinations(range(1, 8), size)]
        assert cost(lengths, cuts(lengths)) == min(cost(lengths, ends) for ends in every)
    assert cuts([]) == [] and cuts([5]) == [1]


def recipe_in(folder: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((folder / recipe.RECIPE).read_text())
    return found


def test_stopped_in_the_second_epoch_grouped_rows_come_in_the_same_order_again(
    grouped_run: tuple[Path, dict[str, Any]], lay_out: LAY_OUT
) -> None:
    from studio.train.recipes import run

    folder = lay_out("stopped", max_steps=24, save_steps=9, eval_steps=9)
    uneven(folder)
    turned_off(folder, "parts")
    seen: list[str] = []
    stopped = run.train(
        folder,
        stop_asked=lambda: any("Step 15 " in text for text in seen),
        on_progress=lambda _d, text: seen.append(text),
    )
    assert stopped["stopped"] and stopped["steps"] < 24
    run.train(folder)
    one, other = (series(tail(each / recipe.EVENTS)[0], "loss") for each in (folder, grouped_run[0]))
    assert one == other


def test_a_recipe_that_names_the_order_of_rows_keeps_it(lay_out: LAY_OUT) -> None:
    from studio.train.recipes import run

    folder = lay_out(
        "named", max_steps=1, save_strategy="no", load_best_model_at_end=False, train_sampling_strategy="random"
    )
    uneven(folder)
    turned_off(folder, "parts")
    run.train(folder)
    assert list(picked(folder)) == ["compact head"]


def test_grouped_batches_hold_every_row_once_and_little_padding() -> None:
    from studio.train.recipes.trainers.grouping import LengthGrouped, padding_share

    source = random.Random(0)
    lengths = [int(source.lognormvariate(4.4, 0.8)) + 1 for _ in range(1000)]
    sampler = LengthGrouped(lengths, batch=16, seed=3)
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(first) == list(range(1000)) == sorted(second)
    assert first == again != second
    padded = sum(
        max(lengths[row] for row in first[at : at + 16]) * len(first[at : at + 16]) for at in range(0, 1000, 16)
    )
    assert 1 - sum(lengths) / padded < 0.1 < 0.4 < padding_share(lengths, 16)
    starts = [lengths[first[at]] for at in range(0, 960, 16)]
    assert starts != sorted(starts) and starts != sorted(starts, reverse=True)


def test_rows_are_grouped_only_where_it_saves_much_of_a_long_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.train.recipes.trainers import picks

    monkeypatch.setattr(picks, "FEW_STEPS", 100)
    uneven_lengths = [10, 500] * 50
    assert picks.grouping(uneven_lengths, batch=8, steps=100)
    assert picks.grouping(uneven_lengths, batch=8, steps=99) is None
    assert picks.grouping([60, 62] * 50, batch=8, steps=1000) is None


def test_packing_is_chosen_only_where_attention_keeps_rows_apart_and_rows_are_short() -> None:
    from studio.train.recipes.trainers.picks import packing

    short = [100] * 50
    pick, rows = packing(short, max_length=1000, batch=16, has_flash=True) or (None, 0)
    assert pick and "FlashAttention" in pick.why and rows == 2
    assert packing(short, max_length=1000, batch=16, has_flash=False) is None
    assert packing(short, max_length=120, batch=16, has_flash=True) is None
    assert packing([*short, 1200], max_length=1000, batch=16, has_flash=True) is None


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"town": "Bonn"}}}


def with_tools(folder: Path) -> None:
    """Rows in which the answer is a call of a tool, among rows without."""
    rows = [json.loads(line) for line in (folder / "data" / recipe.TRAIN).read_text().splitlines()]
    for row in rows[1::2]:
        row["tools"] = json.dumps([TOOL])
        row["completion"] = [{"role": "assistant", "content": "", "tool_calls": [CALL]}]
    (folder / "data" / recipe.TRAIN).write_text("\n".join(map(json.dumps, rows)) + "\n")


def test_rows_that_call_tools_are_shown_to_the_model_with_their_tools(lay_out: LAY_OUT) -> None:
    from trl import SFTConfig

    from studio.train.recipes.setup import load
    from studio.train.recipes.trainers.sft import Sft

    folder = lay_out("tools", max_length=256, assistant_only_loss=True)
    with_tools(folder)
    trainer = Sft().build(load(folder, SFTConfig), [])
    texts = [trainer.processing_class.decode(row["input_ids"]) for row in trainer.train_dataset]
    learned = [[token for token in row["labels"] if token != -100] for row in trainer.train_dataset]
    assert [("Tools:" in text) for text in texts] == [index % 2 == 1 for index in range(len(texts))]
    called = trainer.processing_class.decode(learned[1])
    assert called.startswith("<tool_call>{") and '"town": "Bonn"' in called and called.endswith("<|im_end|>")


def test_a_template_without_a_place_for_tools_is_refused_before_training(
    lay_out: LAY_OUT, base_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer
    from trl import SFTConfig

    from studio.train.recipes.setup import load
    from studio.train.recipes.trainers.tools import check_tools, supports_tools

    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    assert supports_tools(tokenizer)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    assert not supports_tools(tokenizer)
    folder = lay_out("toolless")
    check_tools(load(folder, SFTConfig), tokenizer)
    with_tools(folder)
    with pytest.raises(InvalidInput, match="no place for tools"):
        check_tools(load(folder, SFTConfig), tokenizer)
