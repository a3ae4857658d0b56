"""An example as a teammate sees it: one item for everybody, or one per person where the order of answers differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from storage.tables import Example, LabelItem, LabelTask
from studio.capture.text import content_text, reply_text
from studio.label.backend import Item, QuestionKind
from studio.label.candidates import UNKNOWN_MODEL, author
from studio.label.shuffle import SHOWN_NAMES, asked_people, platform_key, shown_order
from studio.label.templates import Asked, template

NO_ANSWER = "(There is no answer here. Rank it last.)"
CONFIDENCE = "confidence"
"""Tag of an example that tells how sure the model was, 0..1."""


def refusal(task: LabelTask, item: LabelItem, example: Example) -> str:
    """Why the item cannot be asked about, or nothing."""
    if not any(isinstance(each, Mapping) and _plain(each, "").strip() for each in example.messages or ()):
        return "it has no messages"
    if template(task.template).needs_candidates:
        return "it has fewer than two different answers to compare" if len(_candidates(task, item)) < 2 else ""
    marks = any(each.get("kind") == QuestionKind.SPAN for each in task.spec["questions"])
    return "its answer is empty, so there is nothing to mark" if marks and not item.shown_output.strip() else ""


def platform_items(
    task: LabelTask, item: LabelItem, example: Example, model: str = "", answered: Collection[str] = ()
) -> list[Item]:
    """What the platform is sent for one item; people in `answered` are not asked for a comparison again."""
    if not template(task.template).needs_candidates:
        return [item_for_everybody(task, item, example, model)]
    asked = item.asked or asked_people(item.id, task.assignees, task.answers_per_item)
    return [item_for_person(task, item, example, who) for who in asked if who not in answered]


def item_for_everybody(task: LabelTask, item: LabelItem, example: Example, model: str = "") -> Item:
    """The conversation and its one answer, with suggestions in the name of whoever gave that answer."""
    suggestions = template(task.template).suggestions(item.shown_output)
    return Item(
        item.id,
        shown_messages(example.messages),
        item.shown_output,
        suggestions,
        suggested_by=_agent(example, item, model or UNKNOWN_MODEL) if suggestions else "",
        scores=_scores(example, item, suggestions),
        asked=tuple(item.asked),
        facts=_facts(example, item, model or UNKNOWN_MODEL),
    )


def item_for_person(task: LabelTask, item: LabelItem, example: Example, username: str) -> Item:
    """The conversation and its answers in this person's order; nothing tells whose they are."""
    candidates = {str(each["name"]): each for each in _candidates(task, item)}
    order = shown_order(item.id, username, list(candidates))
    answers = {shown: str(candidates[name]["output"]) for shown, name in order.items()}
    return Item(
        platform_key(item.id, username),
        shown_messages(example.messages),
        "",
        answers={shown: answers.get(shown, NO_ANSWER) for shown in answers_shown(task)},
        asked=(username,),
        facts=_blind_facts(example, item),
    )


def answers_shown(task: LabelTask) -> tuple[str, ...]:
    """Names of the answers that an item of the task shows side by side; none where it shows its one answer."""
    if not template(task.template).needs_candidates:
        return ()
    return next(tuple(each["options"]) for each in task.spec["questions"])


def asked_of(task: LabelTask, item: LabelItem) -> Asked:
    """What an item's answers are about beside the shown output."""
    return Asked(task.spec.get("options") or {}, _candidates(task, item))


def order_of(task: LabelTask, item: LabelItem, username: str) -> dict[str, str]:
    """Shown name → candidate name, as this person sees the item."""
    return shown_order(item.id, username, [str(each["name"]) for each in _candidates(task, item)])


def shown_messages(messages: Sequence[Any]) -> list[dict[str, str]]:
    """The prompt as role and plain text."""
    told = [each for each in messages if isinstance(each, Mapping)]
    return [{"role": str(each.get("role") or "user"), "content": _plain(each)} for each in told] or [
        {"role": "user", "content": "(empty)"}
    ]


def _candidates(task: LabelTask, item: LabelItem) -> list[dict[str, Any]]:
    return item.candidates[: len(answers_shown(task)) or len(SHOWN_NAMES)]


def _agent(example: Example, item: LabelItem, model: str) -> str:
    """Whose answer is filled in; a gold question must not be known by it."""
    return model if item.gold else author(example, item.shown_output, {example.id: model})


def _scores(example: Example, item: LabelItem, suggestions: Mapping[str, Any]) -> dict[str, float]:
    """How sure the model was of the answer, where the example's tags tell."""
    sure = example.tags.get(CONFIDENCE)
    if isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 1:
        return {}
    return {name: float(sure) for name in suggestions} if item.shown_output == example.original_output else {}


def _facts(example: Example, item: LabelItem, model: str) -> dict[str, str]:
    facts = {"split": example.split, "model": model, "reason": item.reason}
    return {name: value for name, value in facts.items() if value}


def _blind_facts(example: Example, item: LabelItem) -> dict[str, str]:
    """Facts that give no model away."""
    named = any(each.get("model") and str(each["model"]) in item.reason for each in item.candidates)
    facts = {"split": example.split, "reason": "" if named else item.reason}
    return {name: value for name, value in facts.items() if value}


def _plain(message: Mapping[str, Any], empty: str = "(empty)") -> str:
    text = content_text(message.get("content"))
    if isinstance(message.get("tool_calls"), list):
        text = "\n".join(part for part in (text, reply_text({"tool_calls": message["tool_calls"]})) if part)
    return text if text.strip() else empty
