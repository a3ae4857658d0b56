"""Exports hold what the tools they are for document."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.tables import Dataset
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.exporters import EXPORTERS, Exporter, JudgedExporter, PairExporter, exporter
from studio.curate.kto import kto_rows
from studio.curate.pairs import Pair
from studio.curate.snapshot import Row
from studio.errors import NotFound

TOOLS = [{"type": "function", "function": {"name": "f"}}]
PROMPT = [{"role": "user", "content": "x"}]
ROWS = [
    Row("a", PROMPT, TOOLS, "good", "train", True, "people", "h1", original_output="bad"),
    Row("b", [{"role": "user", "content": "y"}], [], "same", "train", False, "model", "h2", original_output="same"),
]
CALL = '{"tool_calls":[{"arguments":{"x":1},"name":"f"}]}'
PAIRS = [Pair("a", PROMPT, TOOLS, CALL, "bad", "correction"), Pair("b", PROMPT, [], "good", "bad", "ranking")]


def lines(name: str) -> list[dict[str, Any]]:
    chosen, target = exporter(name), io.BytesIO()
    if isinstance(chosen, PairExporter):
        count = chosen.write_pairs(PAIRS, target)
    elif isinstance(chosen, JudgedExporter):
        count = chosen.write_judged(kto_rows(ROWS), target)
    else:
        count = chosen.write(ROWS, target)
    found = [json.loads(line) for line in target.getvalue().splitlines()]
    assert len(found) == count
    return found


@pytest.mark.parametrize("name", list(EXPORTERS))
def test_every_exporter_writes_lines_of_json(name: str) -> None:
    assert len(lines(name)) == 2
    assert "good" in json.dumps(lines(name))


def test_every_format_has_its_own_label_and_file_ending() -> None:
    made = [exporter(name) for name in EXPORTERS]
    assert len({each.label for each in made}) == len({each.suffix for each in made}) == len(made)
    assert all(isinstance(each, Exporter | PairExporter | JudgedExporter) for each in made)


def test_openai_lines_end_with_the_answer_and_carry_the_tools() -> None:
    target = io.BytesIO()
    openai = exporter("openai")
    assert isinstance(openai, Exporter)
    openai.write([Row("a", PROMPT, TOOLS, CALL, "train", True, "people", "h")], target)
    line = json.loads(target.getvalue())
    assert line["tools"] == TOOLS
    assert line["messages"][-1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x":1}'}


def test_openai_preferences_hold_one_answer_over_another() -> None:
    first, second = lines("openai_dpo")
    assert first["input"] == {"messages": PROMPT, "tools": TOOLS} and second["input"] == {"messages": PROMPT}
    assert second["preferred_output"] == [{"role": "assistant", "content": "good"}]
    assert second["non_preferred_output"] == [{"role": "assistant", "content": "bad"}]


def is_messages(value: Any) -> bool:
    """What TRL takes for conversational: a list of messages, each with a role."""
    return isinstance(value, list) and bool(value) and all("role" in each and "content" in each for each in value)


def test_dpo_lines_are_trls_preference_type_with_an_explicit_prompt() -> None:
    for line in lines("dpo"):
        assert set(line) - {"tools"} == {"prompt", "chosen", "rejected"}
        assert all(is_messages(line[name]) for name in ("prompt", "chosen", "rejected"))
        assert line["prompt"][-1]["role"] == "user" and line["chosen"] != line["rejected"]
    assert lines("dpo")[0]["tools"] == TOOLS


def test_kto_lines_are_trls_unpaired_preference_type() -> None:
    found = lines("kto")
    for line in found:
        assert set(line) - {"tools"} == {"prompt", "completion", "label"}
        assert is_messages(line["prompt"]) and is_messages(line["completion"])
    assert [(line["completion"][0]["content"], line["label"]) for line in found] == [("bad", False), ("good", True)]


def test_an_unknown_export_format_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="openai"):
        exporter("word")


def test_a_version_is_exported_as_pairs_and_as_judgements(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor
) -> None:
    for split in ("train", "golden"):
        example = datasets.examples(filled.id, split=split)[0]
        datasets.set_output(operator, example.id, f'{{"category": "{split}"}}')
    version = datasets.freeze_now(operator, filled.id)
    name, content = datasets.export(version.id, "dpo")
    assert name == "tickets-v1-train.dpo.jsonl"
    assert [json.loads(line)["chosen"][0]["content"] for line in content.splitlines()] == ['{"category": "train"}']
    name, content = datasets.export(version.id, "kto", "golden")
    assert name == "tickets-v1-golden.kto.jsonl"
    assert [json.loads(line)["label"] for line in content.splitlines()] == [False, True]
