"""What the model sees of a row, token by token, and which tokens it learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

IGNORED = -100
MOST_SHOWN = 400
"""Tokens shown of a row; the middle of a longer one is left out."""
BROKEN = "�"


@dataclass(frozen=True)
class Seen:
    """A prepared row: token ids, which of them are learned, and what part of a preference it is."""

    ids: Sequence[int]
    learned: Sequence[bool]
    part: str = ""
    """better, worse, wanted, unwanted; empty for a plain row."""

    @property
    def answer(self) -> list[int]:
        """The ids that are learned."""
        return [token for token, learned in zip(self.ids, self.learned, strict=True) if learned]


def seen_in(row: dict[str, Any], limit: int | None) -> list[Seen]:
    """The sequences of a row as a TRL trainer prepared it; several for a preference, none it cannot read."""
    return [_cut(each, limit) for each in _sequences(row)]


def _sequences(row: dict[str, Any]) -> Iterator[Seen]:
    if "input_ids" in row:
        labels = row.get("labels") or row["input_ids"]
        yield Seen(row["input_ids"], [label != IGNORED for label in labels])
    for name, part in (("chosen", "better"), ("rejected", "worse")):
        yield from _preferred(row, name, part)
    if "completion_ids" in row:
        part = "wanted" if row.get("label", True) else "unwanted"
        yield _after(row["prompt_ids"], row["completion_ids"], part)


def _preferred(row: dict[str, Any], name: str, part: str) -> Iterator[Seen]:
    if f"{name}_labels" in row:
        yield Seen(row[f"{name}_input_ids"], [label != IGNORED for label in row[f"{name}_labels"]], part)
    elif f"{name}_ids" in row:
        yield _after(row.get("prompt_ids") or [], row[f"{name}_ids"], part)


def _after(prompt: Sequence[int], answer: Sequence[int], part: str) -> Seen:
    return Seen([*prompt, *answer], [False] * len(prompt) + [True] * len(answer), part)


def _cut(seen: Seen, limit: int | None) -> Seen:
    return seen if limit is None else Seen(seen.ids[:limit], seen.learned[:limit], seen.part)


def shown(tokenizer: Any, seen: Seen, cut: bool) -> dict[str, Any]:
    """The row for a page: its tokens' texts, how many there are, and whether it was cut."""
    texts = pieces(tokenizer, seen.ids)
    tokens = [{"text": text, "learned": bool(learned)} for text, learned in zip(texts, seen.learned, strict=True)]
    facts = {"length": len(seen.ids), "learned": sum(map(bool, seen.learned)), "cut": cut, "part": seen.part}
    return {"tokens": _ends(tokens), **facts}


def pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The text that each token adds; "" for one that only begins a character."""
    texts, start, told = [], 0, 0
    for end in range(1, len(ids) + 1):
        before, whole = _decoded(tokenizer, ids[start:told]), _decoded(tokenizer, ids[start:end])
        if whole.endswith(BROKEN) and end < len(ids):
            texts.append("")
            continue
        texts.append(whole[len(before) :])
        start, told = told, end
    return texts


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def _ends(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(tokens) <= MOST_SHOWN:
        return tokens
    half = MOST_SHOWN // 2
    gap = {"text": f" … {len(tokens) - MOST_SHOWN} tokens … ", "learned": False}
    return [*tokens[:half], gap, *tokens[-half:]]
