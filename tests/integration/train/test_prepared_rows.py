"""Rows prepared all at once are the rows that TRL prepares one by one, and are not prepared twice."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.train import recipe
from studio.train.events import series, tail
from tests.integration.train.conftest import conversation

pytestmark = pytest.mark.slow
LAY_OUT = Callable[..., Path]
HARD = ("Grüße, 你好 👩‍👩‍👧 \u200b", "  two  spaces\t\n\n", "<|im_end|>", "é vs é", "", "a" * 900)
ROLES = ("user", "assistant")


def varied(count: int) -> list[dict[str, Any]]:
    """Rows with and without a system prompt, of one turn and of several, long, empty and in many scripts."""
    source, rows = random.Random(4), []
    for place in range(count):
        row = conversation(source)
        before = [{"role": "system", "content": source.choice(HARD)}] if source.random() < 0.5 else []
        for turn in range(source.choice((0, 0, 1, 3)) * 2):
            before.append({"role": ROLES[turn % 2], "content": source.choice(HARD)})
        row["prompt"] = [*before, *row["prompt"]]
        row["completion"][0]["content"] += HARD[place % len(HARD)]
        rows.append(row)
    return rows


def write(folder: Path, rows: list[dict[str, Any]], name: str = recipe.TRAIN) -> None:
    (folder / recipe.DATA / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def built(folder: Path) -> Any:
    from trl import SFTConfig

    from studio.train.recipes.setup import load
    from studio.train.recipes.trainers.sft import Sft

    return Sft().build(load(folder, SFTConfig), [])


def columns(dataset: Any) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = dataset.select_columns(["input_ids", "labels"])[:]
    return found


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """Build the trainer with TRL's own preparation."""
    from studio.train.recipes.trainers import prepared

    def build(folder: Path) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(prepared, "data_of", lambda *_: None)
            return built(folder)

    return build


@pytest.mark.parametrize(
    "changes",
    [
        {"max_length": 64},
        {"max_length": 48, "truncation_mode": "keep_end"},
        {"max_length": 4096},
        {"max_length": 64, "completion_only_loss": False},
        {"max_length": 64, "packing": True, "packing_strategy": "wrapped", "eval_packing": False},
    ],
    ids=["cut", "cut at the start", "nothing cut", "every token learned", "packed"],
)
def test_rows_are_those_that_trl_prepares(
    lay_out: LAY_OUT, theirs: Callable[[Path], Any], changes: dict[str, Any]
) -> None:
    folder = lay_out("varied", **changes)
    write(folder, varied(120))
    write(folder, varied(30), recipe.EVAL)
    own, other = built(folder), theirs(folder)
    assert "prompt" not in own.train_dataset.column_names and len(own.train_dataset) > 20
    assert columns(own.train_dataset) == columns(other.train_dataset)
    assert columns(own.eval_dataset) == columns(other.eval_dataset)
    if changes["max_length"] == 64 and len(changes) == 1:
        assert len(own.train_dataset) < 120  # rows of which nothing was left to learn


@pytest.mark.parametrize(
    "row",
    [
        {"tools": json.dumps([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])},
        {"completion": [{"role": "assistant", "content": "", "tool_calls": []}]},
        {"prompt": "Plain text", "completion": "without roles"},
    ],
    ids=["tools", "calls", "no roles"],
)
def test_rows_that_are_more_than_texts_are_left_to_trl(lay_out: LAY_OUT, row: dict[str, Any]) -> None:
    from trl import SFTConfig

    from studio.train.recipes.setup import load
    from studio.train.recipes.trainers import prepared

    folder = lay_out("more")
    setup = load(folder, SFTConfig)
    assert prepared.data_of(setup, setup.tokenizer())
    write(folder, [conversation(random.Random(0)) | row])
    assert prepared.data_of(setup, setup.tokenizer()) is None


def test_rows_are_prepared_once_and_anew_when_anything_about_them_changes(
    lay_out: LAY_OUT, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.train.recipes.trainers import prepared

    folder = lay_out("kept")
    made: list[int] = []
    ready = prepared.ready

    def counted(rows: list[dict[str, Any]], *more: Any) -> Any:
        made.append(len(rows))
        return ready(rows, *more)

    monkeypatch.setattr(prepared, "ready", counted)
    first, again = (columns(built(folder).train_dataset) for _ in range(2))
    assert made == [96, 16] and first == again
    next((folder / recipe.PREPARED).glob("train*.arrow")).write_bytes(b"harmed")
    assert columns(built(folder).train_dataset) == first and made == [96, 16, 96]
    write(folder, varied(10))
    built(folder)
    assert made == [96, 16, 96, 10]
    assert len(list((folder / recipe.PREPARED).iterdir())) == 2


def test_losses_are_those_of_rows_that_trl_prepared(lay_out: LAY_OUT, theirs: Callable[[Path], Any]) -> None:
    from studio.train.recipes import run

    shown = []
    for own in (True, False):
        folder = lay_out("losses")
        write(folder, varied(60))
        if not own:
            write(folder, [row | {"tools": None} for row in varied(60)])  # TRL's own preparation
        run.train(folder)
        assert (folder / recipe.PREPARED).exists() == own
        seen = tail(folder / recipe.EVENTS)[0]
        shown.append({name: series(seen, name) for name in ("loss", "eval_loss", "entropy", "eval_greedy_exact")})
    assert shown[0] == shown[1] and len(shown[0]["loss"]) == 12
