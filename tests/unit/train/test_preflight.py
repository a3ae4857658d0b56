from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.curate.snapshot import VersionData
from studio.train.advice import make_plan
from studio.train.hub import on_menu
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Machine
from studio.train.plan import Situation
from studio.train.preflight import Finding, examine
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG, make_row

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
