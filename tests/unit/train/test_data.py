from __future__ import annotations

import json
from pathlib import Path

from studio.curate.snapshot import VersionData
from studio.train import data
from tests.fakes.frozen_rows import make_row

WORDS = [left + right for left in "abcdefghijklmno" for right in "abcdefghijklmno"]
ROWS = [make_row(f"ticket {word}", word) for word in WORDS]
GOLDEN = [make_row(f"golden {word}", word, "golden") for word in WORDS[:10]]


def test_a_tenth_is_held_out_and_never_trained_on() -> None:
    chosen = data.split(VersionData(ROWS, GOLDEN))
    assert len(chosen.held_out) == len(ROWS) // 10
    assert not {row.prompt_hash for row in chosen.train} & {row.prompt_hash for row in chosen.held_out}
    assert len(chosen.train) + len(chosen.held_out) == len(ROWS)


def test_the_choice_of_held_out_rows_is_stable_and_follows_the_seed() -> None:
    version = VersionData(ROWS, GOLDEN)
    assert data.split(version, 1).held_out == data.split(version, 1).held_out
    assert data.split(version, 1).held_out != data.split(version, 2).held_out


def test_two_answers_to_one_prompt_stay_on_the_same_side() -> None:
    twins = [make_row(f"ticket {word}", f"other {word}") for word in WORDS]
    chosen = data.split(VersionData(ROWS + twins, []))
    assert not {row.prompt_hash for row in chosen.train} & {row.prompt_hash for row in chosen.held_out}


def test_golden_prompts_and_their_near_copies_are_never_trained_on() -> None:
    leaked = [make_row("golden aa", "x"), make_row("GOLDEN  ab", "x")]
    chosen = data.split(VersionData(ROWS + leaked, GOLDEN))
    assert chosen.left_out == {"repeats a golden prompt": 2}
    texts = {row.messages[0]["content"] for row in chosen.train + chosen.held_out}
    assert not texts & {"golden aa", "GOLDEN  ab"}


def test_rows_that_call_tools_or_answer_nothing_are_left_out_with_the_reason() -> None:
    calls = make_row("call", '{"tool_calls":[{"name":"f","arguments":{}}]}')
    offered = make_row("offer", "text", tools=[{"type": "function"}])
    chosen = data.split(VersionData([*ROWS, calls, offered, make_row("void", "  ")], []))
    assert chosen.left_out == {"calls tools": 2, "is empty": 1}


def test_the_files_hold_prompt_and_completion_with_text_only(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}]
    row = make_row("parts", "fine", messages=[{"role": "user", "content": parts, "name": "ann"}])
    data.TrainingData([row], [], []).write(tmp_path)
    written = json.loads((tmp_path / "train.jsonl").read_text())
    assert written["prompt"] == [{"role": "user", "content": "look\n"}]
    assert written["completion"] == [{"role": "assistant", "content": "fine"}]
    assert not (tmp_path / "eval.jsonl").exists()


def test_proof_prompts_come_from_the_golden_set_or_else_from_held_out_rows() -> None:
    assert data.split(VersionData(ROWS, GOLDEN)).proof[0] == GOLDEN[0].messages
    without = data.split(VersionData(ROWS, []))
    assert without.proof[0] == without.held_out[0].messages
