"""Judged answers: wanted or unwanted, as thumbs, ratings and corrections say."""

from __future__ import annotations

from collections.abc import Iterator

from studio.curate.kto import Judged, kto_rows
from studio.train.data.messages import answer, plain, with_tools
from studio.train.data.source import EMPTY, Candidate, Line, Source, hash_of, shuffled, why_not_asked


def candidates(source: Source) -> Iterator[Candidate]:
    """A line per judgement, shuffled: KTO compares neighbours, so alike ones must not sit together."""
    hashes = source.prompt_hashes
    listed = enumerate(kto_rows([*source.version.train, *source.version.disliked]))
    for _place, each in sorted(listed, key=lambda entry: shuffled(f"{entry[0]}:{entry[1].example_id}", 0)):
        reason = why_not_asked(each.example_id, each.messages, each.tools, source)
        reason = reason or (None if each.completion.strip() else EMPTY)
        prompt_hash = hashes.get(each.example_id) or hash_of(each.messages)
        yield Candidate(prompt_hash, None if reason else _line(each, source.tools), reason or "")


def _line(each: Judged, tools: bool) -> Line:
    prompt = with_tools(each.messages) if tools else plain(each.messages)
    return {"prompt": prompt, "completion": answer(each.completion, tools), "label": each.label}
