from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.curate.snapshot import Row, VersionData
from studio.train.advice import make_plan
from studio.train.data import TrainingData, of_version
from studio.train.doctor import Finding, examine
from studio.train.hub import on_menu
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Device, Machine
from studio.train.models import hub_base
from studio.train.plan import Situation
from studio.train.shape import ModelShape
from studio.train.weights import Endings
from tests.fakes.frozen_rows import TINY_CONFIG, make_row

LETTERS = "abcdefghijklmnopqrst"
Usage = type(shutil.disk_usage("/"))
WORDS = [left + right for left in "abcdefgh" for right in "abcdefghijklmno"]
ROWS = [make_row(f"ticket {word}", word) for word in WORDS]
GOLDEN = [make_row(f"golden {word}", word, "golden") for word in WORDS[:10]]
SHAPE = ModelShape.of_config(TINY_CONFIG)
SITUATION = Situation(SHAPE, "tiny", 100, 10, Lengths((60, 70), exact=True), Machine(24 * GIB, 2))
TEMPLATE = "{% generation %}{% endgeneration %}"


def found(version: VersionData, situation: Situation = SITUATION, template: str | None = TEMPLATE) -> list[Finding]:
    return examine(version, make_plan(situation), template, Path("/"))


def test_a_healthy_run_has_nothing_to_say() -> None:
    assert found(VersionData(ROWS, GOLDEN)) == []


def test_no_rows_is_an_error_with_the_fix() -> None:
    finding = found(VersionData([], GOLDEN))[0]
    assert finding.severity == "error" and "Curate" in finding.sentence


def test_few_rows_are_a_warning() -> None:
    assert "Only 5 rows" in found(VersionData(ROWS[:5], GOLDEN))[0].text


def test_golden_prompts_in_training_are_counted() -> None:
    sentences = [finding.sentence for finding in found(VersionData([*ROWS, make_row("golden aa")], GOLDEN))]
    assert any(sentence.startswith("1 training rows repeat a golden prompt") for sentence in sentences)


def test_empty_answers_and_tool_calls_are_counted() -> None:
    rows = [*ROWS, make_row("void", ""), make_row("tool", "x", tools=[{"type": "function"}])]
    texts = [finding.text for finding in found(VersionData(rows, GOLDEN))]
    assert any("1 rows have an empty answer" in text for text in texts)
    assert any("1 rows call tools" in text for text in texts)


def test_exact_repeats_and_torn_prompts_are_found() -> None:
    rows = [*ROWS, ROWS[0], make_row("ticket ab", "another answer")]
    texts = [finding.text for finding in found(VersionData(rows, GOLDEN))]
    assert any(text.startswith("1 rows repeat another row") for text in texts)
    assert any(text.startswith("1 prompts appear with different answers") for text in texts)


def test_rows_that_would_be_cut_are_told_as_a_share() -> None:
    cut = replace(SITUATION, lengths=Lengths((60, 5000), exact=True))
    assert "50%" in found(VersionData(ROWS, GOLDEN), cut)[0].text


def test_prompts_that_leave_no_room_for_an_answer_stop_the_run() -> None:
    long = replace(SITUATION, lengths=Lengths((5010, 6020), exact=True), answers=Lengths((10, 20), exact=True))
    told = found(VersionData(ROWS, GOLDEN), long)[0]
    assert told.severity == "error" and told.text.startswith("Every prompt alone fills the ")
    some = replace(long, lengths=Lengths((60, 6020), exact=True))
    guessed = replace(long, lengths=Lengths((5010, 6020), exact=False))
    assert {found(VersionData(ROWS, GOLDEN), each)[0].severity for each in (some, guessed)} == {"warning"}


def test_a_base_without_a_chat_template_stops_the_run() -> None:
    assert found(VersionData(ROWS, GOLDEN), template="")[0].severity == "error"
    assert found(VersionData(ROWS, GOLDEN), template="{{ messages }}")[0].severity == "info"
    assert found(VersionData(ROWS, GOLDEN), template=None) == []


def test_a_model_too_big_for_the_machine_stops_the_run() -> None:
    big = replace(SITUATION, shape=on_menu("Qwen/Qwen3-1.7B").shape, machine=Machine(4 * GIB, 2))
    finding = found(VersionData(ROWS, GOLDEN), big)[0]
    assert finding.severity == "error" and "smaller base" in finding.fix


def test_a_missing_golden_set_is_a_warning() -> None:
    assert any("golden set" in finding.text for finding in found(VersionData(ROWS, [])))


def texts_of(version: VersionData, situation: Situation = SITUATION, method: str = "sft", **more: Any) -> list[str]:
    plan = make_plan(situation, "balanced", method, more.pop("overrides", None))
    return [finding.text for finding in examine(version, plan, more.pop("template", TEMPLATE), Path("/"), **more)]


def answers(values: list[str], split: str = "train") -> list[Row]:
    places = [left + right for left in LETTERS for right in LETTERS]
    return [make_row(f"{split} {place}", value, split) for place, value in zip(places, values, strict=False)]


def test_answers_that_are_nearly_always_the_same_are_told() -> None:
    found = texts_of(VersionData(answers(["refund"] * 95 + ["other"] * 5), GOLDEN))
    assert any(text.startswith("95% of the rows have the answer “refund”") for text in found)


def test_a_json_field_is_looked_at_by_itself_and_open_answers_are_not() -> None:
    rows = [f'{{"urgent": false, "note": "{word}"}}' for word in WORDS[:90]]
    found = texts_of(VersionData(answers([*rows, '{"urgent": true, "note": "x"}']), GOLDEN))
    assert any("urgent “false”" in text for text in found) and not any("note" in text for text in found)
    assert any("1 of 2 values of urgent have fewer than 5 examples: “true”" in text for text in found)


def test_a_class_that_only_golden_rows_have_is_told() -> None:
    golden = answers(["refund"] * 4 + ["fraud"] * 2, "golden")
    found = texts_of(VersionData(answers(["refund", "card"] * 40), golden))
    assert any("2 golden rows expect the answer “fraud”" in text for text in found)


def test_thumbs_that_all_point_one_way_are_told() -> None:
    data = TrainingData([{"prompt": [], "completion": [], "label": place > 1} for place in range(40)], [], [])
    found = texts_of(VersionData(ROWS, GOLDEN), method="kto", lines=data)
    assert any(text.startswith("95% of the judged answers are wanted") for text in found)


def test_preferences_that_are_about_length_are_told() -> None:
    pair = {"chosen": [{"content": "a long answer"}], "rejected": [{"content": "short"}]}
    found = texts_of(VersionData(ROWS, GOLDEN), method="dpo", lines=TrainingData([pair] * 30, [], []))
    assert any("the better answer is the longer one" in text for text in found)
    assert any("Only 30 pairs" in text for text in found)


def test_an_answer_that_would_not_end_where_the_server_stops_is_told() -> None:
    endless = Endings("</s>", ("</s>",))
    assert any("would not end" in text for text in texts_of(VersionData(ROWS, GOLDEN), endings=endless))
    ends = "{% generation %}{{ eos_token }}{% endgeneration %}"
    assert texts_of(VersionData(ROWS, GOLDEN), endings=endless, template=ends) == []


def test_an_old_gpu_and_a_missing_quantizer_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    t4 = Device("cuda", 0, "Tesla T4", 16 * GIB, 16 * GIB, 7.5)
    assert any("Tesla T4 does not compute in bf16" in text for text in texts_of(VersionData(ROWS, GOLDEN), device=t4))
    monkeypatch.setattr("studio.train.doctor.features.QUANTIZER", "a_library_that_is_not_there")
    plan = make_plan(SITUATION, overrides={"training": "qlora"})
    finding = examine(VersionData(ROWS, GOLDEN), plan, TEMPLATE, Path("/"))[0]
    assert finding.severity == "error" and finding.overrides == {"training": "lora"}


def test_a_base_out_of_reach_or_behind_a_licence_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    llama = hub_base("p", "meta-llama/Llama-3.2-1B-Instruct")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert any("stay offline" in text for text in texts_of(VersionData(ROWS, GOLDEN), base=llama))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    assert any("is gated" in text for text in texts_of(VersionData(ROWS, GOLDEN), base=llama))
    llama.digest = "here"
    assert texts_of(VersionData(ROWS, GOLDEN), base=llama) == []


def test_weights_in_fewer_bits_cannot_be_trained() -> None:
    shape = ModelShape.of_config({**TINY_CONFIG, "quantization_config": {"bits": 4}})
    assert "fewer bits" in texts_of(VersionData(ROWS, GOLDEN), replace(SITUATION, shape=shape))[0]


def test_a_disk_that_is_too_small_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.train.doctor.disk.shutil.disk_usage", lambda _path: Usage(10, 9, 1))
    assert any("the disk has 0.0 GiB free" in text for text in texts_of(VersionData(ROWS, GOLDEN)))


def test_findings_that_a_setting_cures_carry_it() -> None:
    plan = make_plan(replace(SITUATION, lengths=Lengths((60, 500), exact=True)), overrides={"max_length": 64})
    (finding,) = examine(VersionData(ROWS, GOLDEN), plan, TEMPLATE, Path("/"))
    assert finding.overrides == {"max_length": 512} and finding.to_dict()["overrides"] == finding.overrides


def test_all_checks_together_stay_far_from_comparing_every_row_with_every_other() -> None:
    places = [f"{a}{b}{c}" for a in LETTERS for b in LETTERS for c in LETTERS][:8000]
    rows = [make_row(f"ticket {place}", '{"category": "a", "note": "b"}') for place in places]
    plan = make_plan(SITUATION)
    data = of_version(VersionData(rows, GOLDEN))
    began = time.process_time()
    examine(VersionData(rows, GOLDEN), plan, TEMPLATE, Path("/"), lines=data)
    assert time.process_time() - began < 30  # 64 million comparisons take minutes
