"""What people type into the search box, parsed: the part of Elasticsearch's simple_query_string that is used.

AND by default, `|` for or, `-word` for not, "a phrase", pre*, and parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Union

CJK = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af])")
LEXER = re.compile(r'\s*(?:(?P<quoted>"[^"]*"?)|(?P<mark>[()|+])|(?P<minus>-(?=\S))|(?P<word>[^\s()|"]+))')


@dataclass(frozen=True)
class Phrase:
    """Words in a row; with `prefix` the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class Not:
    """Everything its node does not match."""

    node: Node


@dataclass(frozen=True)
class Group:
    """All or any of its nodes."""

    kind: Literal["and", "or"]
    nodes: tuple[Node, ...]


Node = Union[Phrase, Not, Group]  # noqa: UP007  (evaluated at run time, with forward references)


def tokenizable(text: str) -> str:
    """One token per CJK character, as Elasticsearch's standard analyzer does."""
    return CJK.sub(r" \1 ", text)


def parse(text: str) -> Node | None:
    """The query as a tree, or None when it says nothing."""
    return _Parser(_tokens(text)).any_of()


def positive_phrases(node: Node | None) -> list[Phrase]:
    """The phrases that a hit contains, for ranking."""
    if isinstance(node, Phrase):
        return [node]
    if isinstance(node, Group):
        return [phrase for inner in node.nodes for phrase in positive_phrases(inner)]
    return []


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while match := LEXER.match(text, at):
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens; anything it cannot read is passed over, as Elasticsearch does."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at = tokens, 0

    def any_of(self) -> Node | None:
        branches = [self._all_of()]
        while self._take("mark", "|"):
            branches.append(self._all_of())
        return _group("or", branches)

    def _all_of(self) -> Node | None:
        parts = []
        while self.at < len(self.tokens) and self.tokens[self.at] not in (("mark", "|"), ("mark", ")")):
            parts.append(self._one())
        return _group("and", parts)

    def _one(self) -> Node | None:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "minus":
            inner = self._one() if self.at < len(self.tokens) else None
            return Not(inner) if inner else None
        if kind == "mark":
            return self._parenthesis() if text == "(" else None
        return _phrase(text, prefix=kind == "word" and text.endswith("*"))

    def _parenthesis(self) -> Node | None:
        inner = self.any_of()
        self._take("mark", ")")
        return inner

    def _take(self, kind: str, text: str) -> bool:
        here = self.at < len(self.tokens) and self.tokens[self.at] == (kind, text)
        self.at += here
        return here


def _phrase(text: str, prefix: bool) -> Phrase | None:
    words = tuple(re.findall(r"\w+", tokenizable(text)))
    return Phrase(words, prefix) if words else None


def _group(kind: Literal["and", "or"], nodes: list[Node | None]) -> Node | None:
    real = tuple(node for node in nodes if node)
    if len(real) < 2:
        return real[0] if real else None
    return Group(kind, real)
