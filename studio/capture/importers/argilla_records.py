"""Argilla: records as `records.to_list`, `to_json` and `to_disk` write them, nested or flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import dict_of, id_of, json_of, known, list_of, moment, number, text_of
from studio.capture.importers.port import Call, NoCall, Refused, Said
from studio.capture.tags import clean_tags

PROMPTS = ("messages", "chat", "conversation", "prompt", "instruction", "question", "query", "input", "text", "user")
SYSTEMS = ("system", "system_prompt", "context")
REPLIES = ("reply", "response", "output", "completion", "answer", "generation", "assistant", "current_output")
GOOD, BAD = (
    frozenset({"yes", "good", "correct", "accept", "accepted", "up", "keep"}),
    frozenset({"no", "bad", "incorrect", "wrong", "reject", "rejected", "down"}),
)
TAKEN = "submitted"
NOT_SAID = "There is no answer: neither a field holds one, nor did anybody submit a text or a label."


class ArgillaRecords:
    """A record is a call; what people submitted is feedback on it. Drafts and discarded answers are left out."""

    label = "Argilla records"
    example = '{"id": "...", "fields": {"prompt": "..."}, "responses": {"correction": [{"value": "..."}]}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Fields with responses or suggestions, nested or flat."""
        nested = isinstance(row.get("fields"), dict) and ("responses" in row or "suggestions" in row)
        return nested or ("_server_id" in row and "status" in row)

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The record's call with its feedback."""
        row = row if isinstance(row.get("fields"), dict) else _nested(row)
        fields = row["fields"]
        messages, reply = _messages(fields), _named(fields, REPLIES)
        given = _responses(row.get("responses"))
        said = [made for question, value, who in given if (made := _said(question, value, who))]
        if not text_of(reply).strip() and not isinstance(reply, list | dict):
            reply, said = _answer(given, dict_of(row.get("suggestions"))), []
        if not reply:
            raise NoCall(NOT_SAID) if not given else Refused(NOT_SAID, "responses")
        meta = {
            "external_id": id_of(row.get("id")),
            "at": moment(row.get("inserted_at"), "inserted_at"),
            "tags": clean_tags(dict_of(row.get("metadata"))),
        }
        return [Call({"messages": messages}, chat.answered(chat.message_of(reply, "fields")), known(meta), said)]


def _named(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((json_of(fields[name]) for name in names if fields.get(name)), None)


def _messages(fields: dict[str, Any]) -> list[dict[str, Any]]:
    prompt = _named(fields, PROMPTS)
    if prompt is None:
        rest = [name for name in fields if name not in REPLIES and name not in SYSTEMS and fields[name]]
        if not rest:
            raise Refused("There is no prompt among the fields.", "fields")
        prompt = "\n\n".join(text_of(fields[name]) for name in rest)
    if isinstance(prompt, list):
        return chat.checked(prompt, "fields")
    system = text_of(_named(fields, SYSTEMS)).strip()
    return [*([chat.said("system", system)] if system else []), chat.said("user", text_of(prompt))]


def _responses(found: Any) -> list[tuple[str, Any, str]]:
    """Question, value and who gave it, of what was submitted."""
    if isinstance(found, list):  # records of before Argilla 2: a list of people's answers to all questions
        named = [(question, {**dict_of(value), **_who(answer)}) for answer in found for question, value in _of(answer)]
    else:
        named = [(question, answer) for question, answers in dict_of(found).items() for answer in list_of(answers)]
    kept = [(question, dict_of(answer)) for question, answer in named]
    return [
        (question, answer["value"], text_of(answer.get("user_id"))[:200])
        for question, answer in kept
        if answer.get("value") is not None and text_of(answer.get("status") or TAKEN) == TAKEN
    ]


def _of(answer: Any) -> list[tuple[str, Any]]:
    return list(dict_of(dict_of(answer).get("values")).items())


def _who(answer: Any) -> dict[str, Any]:
    return {name: dict_of(answer).get(name) for name in ("user_id", "status")}


def _said(question: str, value: Any, who: str) -> Said | None:
    """A text is a correction, a figure a score, yes or no a thumb, anything else a remark named as the question."""
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in GOOD | BAD):
        return Said("thumbs", float(value is True or text_of(value).strip().lower() in GOOD), given_by=who)
    if isinstance(value, int | float):
        return Said("score", number(value, question), name=question[:120], given_by=who)
    if isinstance(value, str) and value.strip():
        kind = "correction" if " " in value.strip() or _is_correction(question) else "comment"
        return Said(kind, text=value, name="" if kind == "correction" else question[:120], given_by=who)
    if isinstance(value, list) and all(isinstance(item, str) for item in value) and value:
        return Said("comment", text=", ".join(value), name=question[:120], given_by=who)
    return None


def _is_correction(question: str) -> bool:
    return any(word in question.lower() for word in ("correct", "edit", "rewrite", "response", "answer", "output"))


def _answer(given: list[tuple[str, Any, str]], suggestions: dict[str, Any]) -> str:
    """What most people submitted, of a task that asks for the answer itself; else what was suggested."""
    texts = Counter(value for _, value, _ in given if isinstance(value, str) and value.strip())
    if texts:
        return texts.most_common(1)[0][0]
    suggested = [dict_of(found).get("value") for found in suggestions.values()]
    return next((value for value in suggested if isinstance(value, str) and value.strip()), "") if not given else ""


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """A record of `to_list(flatten=True)` in its nested form."""
    nested: dict[str, Any] = {"id": row.get("id"), "fields": {}, "responses": {}, "suggestions": {}, "metadata": {}}
    for name, value in row.items():
        question, dot, part = name.partition(".")
        if dot and part == "responses":
            nested["responses"][question] = _joined(row, question, value)
        elif dot and part == "suggestion":
            nested["suggestions"][question] = {"value": value}
        elif not dot and name not in ("id", "status", "_server_id", "vectors", "score"):
            nested["fields" if _is_field(row, name) else "metadata"][name] = value
    return nested


def _is_field(row: dict[str, Any], name: str) -> bool:
    """Flat records no longer tell fields from metadata: usual names do, else every text is a field."""
    usual = (*PROMPTS, *SYSTEMS, *REPLIES)
    if any(each in row for each in PROMPTS):
        return name in usual
    return isinstance(row[name], str | list | dict) and bool(row[name])


def _joined(row: dict[str, Any], question: str, values: Any) -> list[dict[str, Any]]:
    found, who = list_of(values), list_of(row.get(f"{question}.responses.users"))
    status = list_of(row.get(f"{question}.responses.status"))
    return [
        {"value": value, "user_id": _at(who, place), "status": _at(status, place)} for place, value in enumerate(found)
    ]


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
