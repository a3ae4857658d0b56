"""Pairs: a better and a worse answer to one prompt, as people ranked or corrected them."""

from __future__ import annotations

from collections.abc import Iterator

from studio.curate.pairs import Pair
from studio.train.data.messages import Messages, answer, plain, tools_text, with_tools
from studio.train.data.source import EMPTY, Candidate, Line, Source, hash_of, why_not_asked


def candidates(source: Source) -> Iterator[Candidate]:
    """A line per pair."""
    hashes = source.prompt_hashes
    for pair in source.pairs():
        prompt_hash = hashes.get(pair.example_id) or hash_of(pair.messages)
        reason = why_not_asked(pair.example_id, pair.messages, pair.tools, source) or _why_no_choice(pair)
        yield Candidate(prompt_hash, None if reason else _line(pair, source.tools), reason or "")


def _why_no_choice(pair: Pair) -> str | None:
    if not pair.chosen.strip() or not pair.rejected.strip():
        return EMPTY
    return "prefers an answer to itself" if pair.chosen == pair.rejected else None


def _line(pair: Pair, tools: bool) -> Line:
    prompt: Messages = with_tools(pair.messages) if tools else plain(pair.messages)
    line: Line = {"prompt": prompt, "chosen": answer(pair.chosen, tools), "rejected": answer(pair.rejected, tools)}
    return line | {"tools": tools_text(pair.tools)} if tools and pair.tools else line
