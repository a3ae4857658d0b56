"""Columns of one's own: a mapping is guessed from names and values, shown, corrected, and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.capture.import_preview import preview_of
from studio.capture.importers.catalog import importer, names
from studio.capture.importers.columns import ROLES, Columns, lacks, read_mapping
from studio.capture.importers.fields import moment, number, rating
from studio.capture.importers.guess import guessed
from studio.capture.importers.layouts.port import Raw
from studio.capture.importers.port import ImportedCall, ImportedFeedback, Refused, RowError, Skipped
from studio.capture.importers.reading import read_row
from studio.errors import InvalidInput
from tests.unit.capture.importers.conftest import Importer

TABLE = """Request ID;User Question;Model Answer;thumbs;stars;created;Channel;latency_s;cost cents;customer_id;Expected
r1;Where is my order?;It is on its way.;up;5;2026-03-01 10:00;mail;1,5;0,2;c1;
r2;May I return it today?;No, never at all.;down;1;01.04.2026;chat;0.5;1;c2;Yes, within 30 days.
r3;;Nobody asked for this.;up;;2026-03-01;mail;;;;
r4;When do you open then?;At nine.;sideways;;2026-03-01;mail;;;;
r5;When do you close then?;At five.;;;someday;mail;;;;
"""


def test_a_table_is_mapped_by_names_and_values_and_its_rows_are_read(tmp_path: Path, run_import: Importer) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    preview = preview_of(tmp_path / "t.csv", "t.csv")
    assert preview.mapping == {
        "prompt": ["User Question"],
        "reply": ["Model Answer"],
        "correction": ["Expected"],
        "external_id": ["Request ID"],
        "time": ["created"],
        "user": ["customer_id"],
        "rating": ["thumbs"],
        "score": ["stars"],
        "latency_s": ["latency_s"],
        "cost_cents": ["cost cents"],
        "tags": ["Channel"],
    }
    result = run_import(tmp_path / "t.csv", format="columns", mapping=preview.mapping)
    first, second = run_import.calls()
    assert (first.external_id, first.latency_ms, first.cost_usd, first.user_id) == ("r1", 1500, 0.002, "c1")
    assert (first.rating, first.score, first.tags, first.correction) == ("up", 5, {"Channel": "mail"}, None)
    assert (second.rating, second.correction, second.created_at.month) == ("down", "Yes, within 30 days.", 4)
    told = {error["line"]: (error["field"], error["reason"]) for error in result["first_errors"]}
    assert set(told) == {4, 5, 6} and told[4][0] == "User Question" and "leave the row out" in told[4][1]
    assert told[5][0] == "thumbs" and "map it as a score" in told[5][1]
    assert told[6][0] == "created" and "'someday'" in told[6][1] and "2026-01-31" in told[6][1]


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"prompt": "x", "response": "y"}, {"prompt": ["prompt"], "reply": ["response"]}),
        ({"Frage": "Was ist denn das da?", "Text 2": "Das ist ein Haus."}, {"prompt": ["Frage"], "reply": ["Text 2"]}),
        ({"ticket_nr": "T-1", "body": "It is broken again", "triage": "bug"}, {"prompt": ["body"]}),
        ({"messages": [{"role": "user", "content": "x"}], "input": "z"}, {"messages": ["messages"]}),
        ({"text": "I love it", "label": "positive"}, {"prompt": ["text"], "reply": ["label"]}),
        ({"question": "a", "answer": "b", "ts": "2026-01-01"}, {"prompt": ["question"], "reply": ["answer"]}),
    ],
)
def test_what_a_column_is_shows_in_its_name_and_its_values(row: dict[str, Any], mapping: dict[str, list[str]]) -> None:
    found = guessed(list(row), [row])
    assert {role: columns for role, columns in found.items() if role in mapping} == mapping
    assert {name for columns in found.values() for name in columns} <= set(row)


def test_conversations_in_a_column_are_read_and_other_prompts_put_together(tmp_path: Path) -> None:
    turns = '[{"from": "human", "value": "A?"}, {"from": "gpt", "value": "B"}]'
    (call,) = Columns({"messages": ["c"], "model": ["m"]}).read({"c": turns, "m": "x"})
    assert call.request["messages"] == [{"role": "user", "content": "A?"}] and call.request["model"] == "x"  # type: ignore[union-attr]
    (call,) = Columns({"prompt": ["a", "b"], "reply": ["r"], "system": ["s"]}).read(
        {"a": "Do", "b": "this", "r": '{"role": "assistant", "content": "ok"}', "s": "S"}
    )
    assert [message["content"] for message in call.request["messages"]] == ["S", "Do\n\nthis"]  # type: ignore[union-attr]
    (call,) = Columns({"prompt": ["p"], "reply": ["good"], "rejected": ["bad"]}).read(
        {"p": "P", "good": "G", "bad": "B"}
    )
    assert call.response["choices"][0]["message"]["content"] == "B" and call.feedback[0].text == "G"  # type: ignore[union-attr]
    with pytest.raises(Refused, match="JSON list of turns"):
        Columns({"messages": ["c"]}).read({"c": "hello"})


def test_a_mapping_that_cannot_be_is_explained() -> None:
    for found, why in [({"prompt_": "x"}, "Nothing can be mapped"), ({"reply": ["a", "b"]}, "a and b are both mapped")]:
        with pytest.raises(InvalidInput, match=why):
            read_mapping(found)
    assert read_mapping({"prompt": "a", "tags": ["x", "y"]}) == {"prompt": ["a"], "tags": ["x", "y"]}
    assert "which column is the prompt" in lacks({"reply": ["a"]}) and "the reply" in lacks({"prompt": ["a"]})
    assert not lacks({"messages": ["a"]}) and not lacks({"prompt": ["a"], "correction": ["b"]}) and ROLES


def test_the_same_row_mapped_another_way_is_another_call(tmp_path: Path, run_import: Importer) -> None:
    (tmp_path / "t.csv").write_text("one,two\nFirst text here,Second text here\n")
    wrong = run_import(tmp_path / "t.csv", format="columns", mapping={"prompt": ["two"], "reply": ["one"]})
    right = run_import(tmp_path / "t.csv", format="columns", mapping={"prompt": ["one"], "reply": ["two"]})
    again = run_import(tmp_path / "t.csv", format="columns", mapping={"prompt": ["one"], "reply": ["two"]})
    assert (wrong["imported"], right["imported"], again["imported"], again["duplicates"]) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000_000, 1_700_000_000),
        (1_700_000_000_000_000_000, 1_700_000_000),
        ("1700000000.5", 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("14.11.2023 22:13:20", 1_700_000_000),
        ("11/14/2023 22:13", 1_699_999_980),
        ("20231114", 1_699_920_000),
        ("1.7e9", 1_700_000_000),
        ("", None),
        (None, None),
        (0, None),
    ],
)
def test_times_are_understood_as_people_and_programs_write_them(value: Any, seconds: float | None) -> None:
    assert moment(value, "at") == seconds


@pytest.mark.parametrize("value", [20231114, 45_244, "45244.5", "7", "31/31/2023", "yesterday"])
def test_what_is_no_time_is_refused_rather_than_taken_for_1970(value: Any) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        moment(value, "at")


@pytest.mark.parametrize(
    ("value", "figure"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("1,200", 1200),
        ("1.234,5", 1234.5),
        ("$0.02", 0.02),
        ("12 ms", 12),
        ("", None),
        (3, 3),
    ],
)
def test_numbers_are_understood_as_people_write_them(value: Any, figure: float | None) -> None:
    assert number(value, "n") == figure


def test_thumbs_are_words_figures_and_signs() -> None:
    assert [rating(value, "r") for value in (True, "UP", 1, "1.0", "👍", "yes")] == [1] * 6
    assert [rating(value, "r") for value in (False, "down", 0, -1, "👎", "bad")] == [0] * 6
    assert rating("", "r") is None and rating(None, "r") is None


WORDS = """
messages prompt completion request response input output tags id trace_id traceId value name dataType type request_id
request_body response_body signed_body_url scores properties feedback_rating conversations chosen rejected cost error
preferred_output instruction fields responses suggestions call_type spend custom_id result metadata system choices body
created_at startTime level observations ai_org _server_id status history tools split rejected_message reqPayload usage
label from role content
"""
KEYS = st.sampled_from(WORDS.split())
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["user", "assistant", "GENERATION", "CORRECTION", "{", "[]", '{"messages": 1}', '[{"role": "user"}]', "TRAIN"]
    )
)
ANYTHING = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize("format", names())
@settings(max_examples=30)
@given(row=st.dictionaries(KEYS, ANYTHING, max_size=7))
def test_whatever_is_in_a_row_no_importer_raises_anything(format: str, row: dict[str, Any]) -> None:
    mapping = {role: [name] for role, name in zip(ROLES, list(row) * 30, strict=False)} if row else {"prompt": ["x"]}
    reader = importer(format, mapping)
    assert reader.matches(row) in (True, False)
    for item in read_row(Raw(1, 10, row, repr(row).encode("utf-8", "replace")), reader):
        assert isinstance(item, ImportedCall | ImportedFeedback | RowError | Skipped)
        assert item.line == 1 and item.end == 10
