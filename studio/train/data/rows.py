"""Rows: a prompt and the answer to learn; tool calls and several turns included where the base can read them."""

from __future__ import annotations

from collections.abc import Iterator

from studio.curate.snapshot import Row
from studio.train.data.messages import Messages, answer, plain, tools_text, with_tools
from studio.train.data.source import Candidate, Line, Source, why_left_out


def candidates(source: Source) -> Iterator[Candidate]:
    """A line per row, or per assistant turn where every turn is learned."""
    for row in source.version.train:
        reason = why_left_out(row, source.leaked, source.tools, answered=source.answered)
        if reason:
            yield Candidate(row.prompt_hash, None, reason)
            continue
        for line in _turns(row, source):
            yield Candidate(row.prompt_hash, line)


def line_of(row: Row, tools: bool = False) -> Line:
    """A row as prompt and completion."""
    return _line(row.messages, answer(row.output, tools), row, tools)


def _turns(row: Row, source: Source) -> Iterator[Line]:
    if source.every_turn:
        for place, message in enumerate(row.messages):
            if message.get("role") == "assistant" and place:
                turn = with_tools([message]) if source.tools else plain([message])
                yield _line(row.messages[:place], turn, row, source.tools)
    yield line_of(row, source.tools)


def _line(prompt: Messages, completion: Messages, row: Row, tools: bool) -> Line:
    line: Line = {"prompt": with_tools(prompt) if tools else plain(prompt), "completion": completion}
    return line | {"tools": tools_text(row.tools)} if tools and row.tools else line
