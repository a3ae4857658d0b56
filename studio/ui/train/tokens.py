"""One batch as the model sees it, token by token: which ones it is taught, which it only reads, what was cut."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from studio.ui.train.marked import Block, Piece, show_marked

LEGEND = (("learned", "learned: the model is taught to write these"), ("read", "read: context, never learned"))


def token_view(rows: list[dict[str, Any]]) -> None:
    """Every row of the batch with its learned tokens marked."""
    show_marked("What the model sees, token by token", token_blocks(rows), key="batch_tokens", legend=LEGEND)


def token_blocks(rows: list[dict[str, Any]]) -> list[Block]:
    """One block per row."""
    return [_block(number, row) for number, row in enumerate(rows, start=1)]


def _block(number: int, row: Mapping[str, Any]) -> Block:
    tokens = row.get("tokens") or []
    pieces = [_piece(token) for token in tokens]
    part = f", the {row['part']} answer" if row.get("part") else ""
    return {"title": f"Row {number}{part}", "note": _note(row), "lines": [{"name": "", "pieces": pieces}]}


def _piece(token: Mapping[str, Any]) -> Piece:
    return {"text": str(token.get("text", "")), "mark": "learned" if token.get("learned") else "read"}


def _note(row: Mapping[str, Any]) -> str:
    length, learned = int(row.get("length", 0)), int(row.get("learned", 0))
    told = f"{length:,} tokens, {learned:,} learned"
    if not learned:
        told += ": it teaches nothing"
    return f"{told}; cut, the end is missing" if row.get("cut") else told


def learned_stretches(row: Mapping[str, Any]) -> list[str]:
    """The learned tokens of a row, joined where they stand together: for those who do not see the marks."""
    grouped = groupby(row.get("tokens") or [], key=lambda token: bool(token.get("learned")))
    return ["".join(str(token.get("text", "")) for token in part) for learned, part in grouped if learned]
