"""Questions of the editor's own making, checked one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import InvalidInput
from studio.label.backend import Question, QuestionKind
from studio.label.templates.base import Plain, clean, question_name

MOST_QUESTIONS = 20
LONGEST_TITLE, LONGEST_HELP = 500, 1000
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
FEWEST_CHOICES = {
    QuestionKind.LABEL: 2,
    QuestionKind.MULTI_LABEL: 2,
    QuestionKind.RANKING: 2,
    QuestionKind.SPAN: 1,
}
RATINGS = tuple(range(1, 6))


class Custom(Plain):
    """Option `questions`: a list of facts, each with title and kind, and name, options, ratings, required as needed."""

    title = "Your own questions"
    caption = "Labels, ratings, rankings, spans and text, as you need them. Measures; it changes no outputs."
    guidelines = "Read the conversation and the answer, then answer the questions."

    def questions(self, options: Mapping[str, Any]) -> tuple[Question, ...]:
        """The questions as given."""
        facts = options.get("questions")
        if not isinstance(facts, Sequence) or isinstance(facts, str) or not facts:
            raise InvalidInput("Give at least one question.")
        if len(facts) > MOST_QUESTIONS:
            raise InvalidInput(f"Ask up to {MOST_QUESTIONS} questions; {len(facts)} are given.")
        found: list[Question] = []
        for number, each in enumerate(facts, start=1):
            found.append(_question(number, each, [before.name for before in found]))
        if not any(each.required for each in found):
            raise InvalidInput("Make at least one question required: an answer must say something.")
        return tuple(found)


def _question(number: int, facts: Any, taken: Sequence[str]) -> Question:
    """One question. Raises InvalidInput with its number and title."""
    if not isinstance(facts, Mapping):
        raise InvalidInput(f"Question {number} must be a mapping with title and kind.")
    title = _text(facts, "title", f"Question {number}", LONGEST_TITLE)
    where = f"Question {number}" + (f" ({title[:60]})" if title else "")
    if not title:
        raise InvalidInput(f"{where} has no title. Write what is asked.")
    kind = _kind(facts, where)
    return Question(
        _name(facts, title, taken, where),
        title,
        kind,
        _choices(facts, kind, where),
        _text(facts, "description", where, LONGEST_HELP),
        _required(facts, where),
        _ratings(facts, where) if kind is QuestionKind.RATING else RATINGS,
    )


def _text(facts: Mapping[str, Any], key: str, where: str, longest: int) -> str:
    found = facts.get(key) or ""
    if not isinstance(found, str) or len(found.strip()) > longest:
        raise InvalidInput(f"{where}: the {key} must be a text of up to {longest} characters.")
    return found.strip()


def _kind(facts: Mapping[str, Any], where: str) -> QuestionKind:
    known = [each.value for each in QuestionKind]
    if facts.get("kind") not in known:
        raise InvalidInput(f"{where}: there is no kind {facts.get('kind')!r}. Choose one of: {', '.join(known)}.")
    return QuestionKind(facts["kind"])


def _name(facts: Mapping[str, Any], title: str, taken: Sequence[str], where: str) -> str:
    name = _text(facts, "name", where, 100)
    if not name:
        return question_name(title, taken)
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{where}: the name {name!r} may hold a-z, 0-9, _ and - only.")
    if name in taken:
        raise InvalidInput(f"{where}: another question has the name {name!r} already.")
    return name


def _choices(facts: Mapping[str, Any], kind: QuestionKind, where: str) -> tuple[str, ...]:
    fewest = FEWEST_CHOICES.get(kind, 0)
    found = clean(facts.get("options") or (), f"{where}: the choices")
    if len(found) < fewest:
        raise InvalidInput(f"{where}: give at least {fewest} different choices.")
    return found if fewest else ()


def _required(facts: Mapping[str, Any], where: str) -> bool:
    found = facts.get("required", True)
    if not isinstance(found, bool):
        raise InvalidInput(f"{where}: required must be true or false.")
    return found


def _ratings(facts: Mapping[str, Any], where: str) -> tuple[int, ...]:
    found = facts.get("ratings") or RATINGS
    whole = isinstance(found, Sequence) and all(isinstance(each, int) and 0 <= each <= 10 for each in found)
    if not whole or len(set(found)) < 2:
        raise InvalidInput(f"{where}: ratings must be two or more different whole numbers from 0 to 10.")
    return tuple(sorted(set(found)))
