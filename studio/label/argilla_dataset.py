"""A task as an Argilla dataset: its fields, questions and what people may filter by, in Argilla's REST language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.errors import Conflict, InvalidInput
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Question, QuestionKind, TaskSpec

CONVERSATION, ANSWER = "conversation", "answer"
ASKED_OF = "asked_of"
"""Metadata of a record: usernames whose queue holds it. The embedded server's search engine knows the name too."""
EVERYBODY = "everybody"
"""Stands in for nobody in particular on servers whose own search engine has to find such records."""
LONGEST_GUIDELINES = 10_000
VISIBLE_LABELS = 20
CUT_NOTE = "\n\n… (cut: Argilla shows 10,000 characters)"
FEWEST = {QuestionKind.LABEL: 2, QuestionKind.MULTI_LABEL: 2, QuestionKind.RANKING: 2, QuestionKind.SPAN: 1}
TYPES = {
    QuestionKind.LABEL: "label_selection",
    QuestionKind.MULTI_LABEL: "multi_label_selection",
    QuestionKind.RANKING: "ranking",
    QuestionKind.SPAN: "span",
}


def create(rest: ArgillaRest, workspace: str, spec: TaskSpec) -> str:
    """Make and open the dataset; returns its id. A half-made one is removed by whoever looks for it again."""
    questions = [_question(each) for each in spec.questions]
    body = {
        "name": spec.key,
        "workspace_id": workspace,
        "guidelines": guidelines(spec.guidelines),
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": spec.answers_per_item},
    }
    ref = str(rest.send("POST", "/datasets", body)["id"])
    for each in _fields(spec):
        rest.send("POST", f"/datasets/{ref}/fields", each)
    for question in questions:
        rest.send("POST", f"/datasets/{ref}/questions", question)
    rest.send("PUT", f"/datasets/{ref}/publish")
    return ref


def guidelines(text: str) -> str | None:
    """The text as long as Argilla takes it."""
    if len(text) > LONGEST_GUIDELINES:
        return text[: LONGEST_GUIDELINES - len(CUT_NOTE)] + CUT_NOTE
    return text or None


def ensure_property(rest: ArgillaRest, ref: str, name: str, *, shown: bool) -> None:
    """Make a metadata property of terms unless it is there."""
    body = {
        "name": name,
        "title": name.replace("_", " "),
        "settings": {"type": "terms"},
        "visible_for_annotators": shown,
    }
    try:
        rest.send("POST", f"/datasets/{ref}/metadata-properties", body)
    except Conflict:
        return  # made before an interruption


def marks_spans(spec: TaskSpec) -> bool:
    """Whether people mark parts of the answer, which Argilla can do in text fields only."""
    return any(each.kind is QuestionKind.SPAN for each in spec.questions)


def answer_field(name: str) -> str:
    """The field that shows the answer of this name."""
    return f"{ANSWER}_{name.lower()}"


def _fields(spec: TaskSpec) -> list[dict[str, Any]]:
    chat: dict[str, Any] = {"type": "chat", "use_markdown": False}
    found = [{"name": CONVERSATION, "title": "Conversation", "required": True, "settings": chat}]
    for name in spec.answers_shown:
        found.append({"name": answer_field(name), "title": f"Answer {name}", "required": False, "settings": chat})
    if not spec.answers_shown:
        kind = {"type": "text", "use_markdown": False} if marks_spans(spec) else chat
        found.append({"name": ANSWER, "title": "The model's answer", "required": True, "settings": kind})
    elif marks_spans(spec):
        raise InvalidInput("Parts can be marked in one answer only. Ask for spans or show several answers, not both.")
    return found


def _question(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "title": question.title[:500],
        "description": question.description[:1000] or None,
        "required": question.required,
        "settings": _settings(question),
    }


def _settings(question: Question) -> dict[str, Any]:
    if question.kind is QuestionKind.TEXT:
        return {"type": "text", "use_markdown": False}
    if question.kind is QuestionKind.RATING:
        _check(question, 2 <= len(set(question.ratings)) <= 11 and set(question.ratings) <= set(range(11)), RATING_RULE)
        return {"type": "rating", "options": [{"value": each} for each in question.ratings]}
    few = FEWEST[question.kind]
    _check(question, len(question.options) >= few, f"needs at least {few} choices")
    _check(question, len(set(question.options)) == len(question.options), "names a choice twice")
    _check(question, all(0 < len(each) <= 200 for each in question.options), "has a choice of over 200 characters")
    return {"type": TYPES[question.kind], "options": _options(question), **_extras(question)}


RATING_RULE = "needs 2 to 11 ratings between 0 and 10"


def _check(question: Question, holds: bool, rule: str) -> None:
    if not holds:
        raise InvalidInput(f"The question “{question.title}” {rule}. Change it and send the task again.")


def _options(question: Question) -> list[dict[str, str]]:
    title: Callable[[str], str] = str
    if question.kind is QuestionKind.RANKING:
        title = "Answer {}".format if all(len(each) == 1 for each in question.options) else str
    return [{"value": each, "text": title(each)} for each in question.options]


def _extras(question: Question) -> dict[str, Any]:
    many = len(question.options) > VISIBLE_LABELS
    if question.kind is QuestionKind.SPAN:
        return {"field": ANSWER, "allow_overlapping": True, **({"visible_options": VISIBLE_LABELS} if many else {})}
    return {"visible_options": VISIBLE_LABELS} if many and question.kind is not QuestionKind.RANKING else {}
