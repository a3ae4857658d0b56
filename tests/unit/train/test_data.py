from __future__ import annotations

import json
from pathlib import Path

from studio.curate.pairs import Pair
from studio.curate.snapshot import Row, VersionData
from studio.train import data
from tests.fakes.frozen_rows import make_row

WORDS = [left + right for left in "abcdefghijklmno" for right in "abcdefghijklmno"]
ROWS = [make_row(f"ticket {word}", word) for word in WORDS]
GOLDEN = [make_row(f"golden {word}", word, "golden") for word in WORDS[:10]]
CALL = '{"tool_calls":[{"name":"refund","arguments":{"order":7}}]}'
TOOLS = [{"type": "function", "function": {"name": "refund", "parameters": {}}}]


def asked(lines: list[data.Line]) -> set[str]:
    return {line["prompt"][-1]["content"] for line in lines}


def pair_of(row: Row, chosen: str = "good", rejected: str = "bad") -> Pair:
    return Pair(row.example_id, row.messages, row.tools, chosen, rejected, "ranking")


def test_a_tenth_is_held_out_and_never_trained_on() -> None:
    chosen = data.split(VersionData(ROWS, GOLDEN))
    assert len(chosen.held_out) == len(ROWS) // 10
    assert not asked(chosen.train) & asked(chosen.held_out)
    assert len(chosen.train) + len(chosen.held_out) == len(ROWS)


def test_the_choice_of_held_out_rows_is_stable_and_follows_the_seed() -> None:
    version = VersionData(ROWS, GOLDEN)
    assert data.split(version, 1).held_out == data.split(version, 1).held_out
    assert data.split(version, 1).held_out != data.split(version, 2).held_out


def test_two_answers_to_one_prompt_stay_on_the_same_side() -> None:
    twins = [make_row(f"ticket {word}", f"other {word}") for word in WORDS]
    chosen = data.split(VersionData(ROWS + twins, []))
    assert chosen.held_out and not asked(chosen.train) & asked(chosen.held_out)


def test_golden_prompts_and_their_near_copies_are_never_trained_on() -> None:
    leaked = [make_row("golden aa", "x"), make_row("GOLDEN  ab", "x")]
    chosen = data.split(VersionData(ROWS + leaked, GOLDEN))
    assert chosen.left_out == {"repeats a golden prompt": 2}
    assert not asked(chosen.train + chosen.held_out) & {"golden aa", "GOLDEN  ab"}


def test_rows_that_call_tools_or_answer_nothing_are_left_out_with_the_reason() -> None:
    offered = make_row("offer", "text", tools=TOOLS)
    chosen = data.split(VersionData([*ROWS, make_row("call", CALL), offered, make_row("void", "  ")], []))
    assert chosen.left_out == {"calls tools": 2, "is empty": 1}


def test_rows_with_tools_are_learned_where_the_base_can_read_them() -> None:
    spoken = [
        {"role": "user", "content": "refund 7"},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "name": "look", "tool_call_id": "1", "content": "found"},
    ]
    row = make_row("refund 7", CALL, tools=TOOLS, messages=spoken)
    line = data.of_version(VersionData([row], []), tools=True).train[0]
    assert json.loads(line["tools"]) == TOOLS
    called = {"type": "function", "function": {"name": "refund", "arguments": {"order": 7}}}
    assert line["completion"] == [{"role": "assistant", "content": "", "tool_calls": [called]}]
    assert line["prompt"][1]["tool_calls"][0]["function"]["arguments"] == {}
    assert line["prompt"][2] == {"role": "tool", "content": "found", "name": "look"}


def test_a_template_speaks_tools_when_it_shows_both_the_tools_and_their_calls() -> None:
    assert data.speaks_tools("{% if tools %}...{% endif %}{{ message.tool_calls }}")
    assert not data.speaks_tools("{{ messages }}") and not data.speaks_tools(None) and not data.speaks_tools("")


def test_every_assistant_turn_is_learned_on_request() -> None:
    said = [("user", "hi"), ("assistant", "hello"), ("user", "bye")]
    row = make_row("talk", "goodbye", messages=[{"role": role, "content": text} for role, text in said])
    version = VersionData([row], [])
    answers = [line["completion"][0]["content"] for line in data.of_version(version, every_turn=True).train]
    assert answers == ["hello", "goodbye"]
    assert [line["completion"][0]["content"] for line in data.of_version(version).train] == ["goodbye"]


def test_pairs_become_lines_and_follow_their_row_s_side() -> None:
    pairs = [pair_of(row) for row in ROWS]
    chosen = data.of_version(VersionData(ROWS, GOLDEN), "dpo", pairs_of=lambda: pairs)
    assert chosen.train[0].keys() == {"prompt", "chosen", "rejected"}
    assert asked(chosen.held_out) == asked(data.split(VersionData(ROWS, GOLDEN)).held_out)


def test_pairs_that_prefer_nothing_are_left_out() -> None:
    pairs = [pair_of(ROWS[0]), pair_of(ROWS[1], "same", "same"), pair_of(ROWS[2], rejected=" ")]
    chosen = data.of_version(VersionData(ROWS, []), "ipo", pairs_of=lambda: pairs)
    assert len(chosen.train) == 1 and chosen.left_out == {"prefers an answer to itself": 1, "is empty": 1}


def test_judged_answers_are_shuffled_and_carry_their_label() -> None:
    rows = [make_row(f"thumb {word}", word, rating="up" if place < 100 else "down") for place, word in enumerate(WORDS)]
    chosen = data.of_version(VersionData(rows, []), "kto")
    labels = [line["label"] for line in chosen.train]
    assert data.sides(chosen.train) == (labels.count(True), labels.count(False))
    assert 0.3 < sum(labels[:60]) / 60 < 0.6, "neighbours are mixed"
    assert chosen.train == data.of_version(VersionData(rows, []), "kto").train


def test_disliked_answers_are_judged_too_and_stay_on_their_prompt_s_side() -> None:
    liked = [make_row(f"ticket {word}", "fine", rating="up") for word in WORDS]
    disliked = [make_row(f"ticket {word}", "rude", rating="down") for word in WORDS]
    chosen = data.of_version(VersionData(liked, [], disliked), "kto")
    assert data.sides(chosen.train + chosen.held_out) == (len(WORDS), len(WORDS))
    assert chosen.held_out and not asked(chosen.train) & asked(chosen.held_out)


def test_prompts_carry_their_answer_as_the_reference() -> None:
    line = data.of_version(VersionData(ROWS[:1], []), "grpo").train[0]
    assert line == {"prompt": [{"role": "user", "content": "ticket aa"}], "reference": "aa"}


def test_a_teacher_is_also_asked_where_nobody_answered() -> None:
    version = VersionData([make_row("open question", "")], [])
    assert len(data.of_version(version, "distil").train) == 1 and data.of_version(version).train == []


def test_golden_rows_are_written_apart_verified_ones_first(tmp_path: Path) -> None:
    unsure = make_row("golden unsure", "x", "golden", verified=False)
    chosen = data.of_version(VersionData(ROWS, [unsure, *GOLDEN]))
    chosen.write(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "golden.jsonl").read_text().splitlines()]
    assert len(lines) == 11 and lines[-1]["prompt"][0]["content"] == "golden unsure"
    assert not (tmp_path / "keep.jsonl").exists()


def test_the_files_hold_prompt_and_completion_with_text_only(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}]
    row = make_row("parts", "fine", messages=[{"role": "user", "content": parts, "name": "ann"}])
    data.split(VersionData([row], [])).write(tmp_path)
    written = json.loads((tmp_path / "train.jsonl").read_text())
    assert written["prompt"] == [{"role": "user", "content": "look\n"}]
    assert written["completion"] == [{"role": "assistant", "content": "fine"}]
    assert not (tmp_path / "eval.jsonl").exists()


def test_proof_prompts_come_from_the_golden_set_or_else_from_held_out_rows() -> None:
    assert data.split(VersionData(ROWS, GOLDEN)).proof[0] == GOLDEN[0].messages
    without = data.split(VersionData(ROWS, []))
    assert without.proof[0] == without.held_out[0]["prompt"]
