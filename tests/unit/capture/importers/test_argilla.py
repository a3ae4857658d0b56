"""Argilla's own client writes the records that are imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import argilla as rg
from argilla.records._io import GenericIO, JsonIO

from tests.unit.capture.importers.conftest import Importer

ANNA, BEN = uuid4(), uuid4()
OLD = (("u", "submitted"), ("v", "discarded"))


def answer(question: str, value: Any, who: Any = ANNA, status: str = "submitted") -> rg.Response:
    return rg.Response(question, value, user_id=who, status=status)


def records() -> list[rg.Record]:
    fields = {"prompt": "Where is it?", "reply": "Here."}
    return [
        rg.Record(
            id="a1",
            fields=fields,
            metadata={"plan": "pro"},
            responses=[answer("correction", "Over there."), answer("rating", 4), answer("ok", "no", BEN)],
            suggestions=[rg.Suggestion("rating", 3, agent="model")],
        ),
        rg.Record(
            id="a2",
            fields={"text": "I love it"},
            responses=[answer("label", "positive"), answer("label", "positive", BEN)],
        ),
        rg.Record(id="a3", fields={"text": "Nobody looked"}),
    ]


def check(run_import: Importer, result: dict[str, Any]) -> None:
    first, second = run_import.calls()
    assert (result["imported"], result["errors"], result["skipped"]) == (2, 0, 1)
    assert (first.external_id, first.prompt_text, first.reply_text) == ("a1", "Where is it?", "Here.")
    assert (first.correction, first.score, first.rating, first.tags) == ("Over there.", 4, "down", {"plan": "pro"})
    assert (second.prompt_text, second.reply_text, second.correction) == ("I love it", "positive", None)
    given = {(one.kind, one.given_by) for one in run_import.feedback()}
    assert given == {("correction", str(ANNA)), ("score", str(ANNA)), ("thumbs", str(BEN))}


def test_records_to_json_are_calls_with_their_answers_as_feedback(tmp_path: Path, run_import: Importer) -> None:
    path = JsonIO.to_json(records(), tmp_path / "records.json")  # type: ignore[arg-type]
    check(run_import, run_import(path))


def test_flat_records_read_alike(tmp_path: Path, run_import: Importer) -> None:
    flat = GenericIO.to_list(records(), flatten=True)  # type: ignore[arg-type]
    (tmp_path / "flat.json").write_text(json.dumps(flat))
    check(run_import, run_import(tmp_path / "flat.json"))


def test_drafts_and_discarded_answers_are_left_out(tmp_path: Path, run_import: Importer) -> None:
    flat = GenericIO.to_list(
        [
            rg.Record(
                id="d",
                fields={"prompt": "Q?", "reply": "A."},
                responses=[
                    answer("correction", "No, B.", status="draft"),
                    answer("correction", "C.", BEN, "discarded"),
                ],
            )
        ],
        flatten=True,
    )  # type: ignore[arg-type]
    (tmp_path / "flat.json").write_text(json.dumps(flat))
    assert run_import(tmp_path / "flat.json")["imported"] == 1 and run_import.feedback() == []


def test_records_of_before_version_two_are_understood(tmp_path: Path, run_import: Importer) -> None:
    values = {"correction": {"value": "Better so."}}
    given = [{"user_id": who, "status": status, "values": values} for who, status in OLD]
    old = {"id": "o", "fields": {"prompt": "Q?", "response": "A."}, "responses": given}
    (tmp_path / "old.json").write_text(json.dumps([old]))
    run_import(tmp_path / "old.json")
    assert [call.correction for call in run_import.calls()] == ["Better so."] and len(run_import.feedback()) == 1
