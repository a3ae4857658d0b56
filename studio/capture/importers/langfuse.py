"""Langfuse: observations and scores, as its UI and its API export them (JSON, JSON lines, CSV)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from studio.capture.importers import chat
from studio.capture.importers.fields import (
    amount,
    count,
    dict_of,
    first,
    id_of,
    json_of,
    known,
    list_of,
    moment,
    number,
    span_ms,
    text_of,
)
from studio.capture.importers.langfuse_scores import is_score, scores
from studio.capture.importers.port import Call, NoCall, Refused, Said
from studio.capture.tags import clean_tags

GENERATIONS = frozenset({"", "GENERATION"})
NO_INPUT = "There is no `input`. Export the observations with their input and output."


class Langfuse:
    """Observations of the type GENERATION become calls; scores become feedback, CORRECTION a corrected answer."""

    label = "Langfuse"
    example = '{"id": "...", "traceId": "...", "type": "GENERATION", "input": [...], "output": {...}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """Its ids, in either spelling."""
        row = plain(row)
        if is_score(row):
            return True
        if "trace_id" in row and ("start_time" in row or row.get("type") in ("GENERATION", "SPAN", "EVENT")):
            return "input" in row or "output" in row
        return "observations" in row and "timestamp" in row

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call with the scores that lie in it, or the row's score."""
        row = plain(row)
        if is_score(row):
            return scores([row], {})
        if observations := [plain(item) for item in list_of(row.get("observations")) if isinstance(item, dict)]:
            return _trace(row, observations)
        return _observation(row, {})


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row with names_like_this, however it spells them."""
    return {"".join(f"_{char.lower()}" if char.isupper() else char for char in name): row[name] for name in row}


def _trace(row: dict[str, Any], observations: list[dict[str, Any]]) -> list[Call | Said]:
    """A whole trace: its generations, and its scores on the calls they are about."""
    made: list[Call | Said] = []
    for item in observations:
        if text_of(item.get("type")).upper() in GENERATIONS:
            made += _observation({**item, "trace_id": first(item, "trace_id") or row.get("id"), "scores": None}, row)
    if not made:
        raise NoCall("A trace without generations.")
    return made + scores(_scores_in(row), {"trace_id": text_of(row.get("id"))[:200]})


def _observation(row: dict[str, Any], trace: dict[str, Any]) -> list[Call | Said]:
    if (kind := text_of(row.get("type")).upper()) not in GENERATIONS:
        raise NoCall(f"A {kind.lower()} is no call.")
    asked, parameters = _asked(row.get("input")), dict_of(row.get("model_parameters"))
    request = chat.asked({**parameters, **asked, "model": text_of(row.get("model"))}, asked["messages"])
    meta = _facts(row, trace)
    if text_of(row.get("level")).upper() == "ERROR":
        error = text_of(row.get("status_message")) or "The call failed."
        return [Call(request, {"error": {"message": error}}, {**meta, "status": "error", "error": error})]
    response = _answer(row.get("output"))
    own: dict[str, str] = {"external_id": meta["external_id"]} if "external_id" in meta else {}
    return [Call(request, response, meta), *scores(_scores_in(row), own)]


def _asked(found: Any) -> dict[str, Any]:
    """The input as messages: a request, a list of messages, or one text."""
    value = json_of(found)
    if isinstance(value, str) and value.strip():
        return {"messages": [chat.said("user", value)]}
    if isinstance(value, dict) and "role" in value:
        value = [value]
    if isinstance(value, list):
        return {"messages": chat.checked([_with_role(item) for item in value], "input")}
    request = dict_of(value)
    if list_of(request.get("messages")):
        return {**request, "messages": chat.checked(request["messages"], "input")}
    text = text_of(first(request, "prompt", "input", "question", "query", "text"))
    if not text:
        raise Refused(NO_INPUT, "input")
    return {"messages": [chat.said("user", text)]}


def _with_role(item: Any) -> Any:
    """LangChain's messages name their role `type`."""
    roles = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
    if isinstance(item, dict) and "role" not in item and item.get("type") in roles:
        return {**item, "role": roles[item["type"]]}
    return item


def _answer(found: Any) -> dict[str, Any]:
    value = json_of(found)
    if isinstance(value, dict) and (value.get("choices") or value.get("error")):
        return value
    if isinstance(value, dict) and not (value.get("content") or value.get("tool_calls")):
        value = first(value, "completion", "output", "text", "answer") or json_text(value)
    return chat.answered(chat.message_of(value, "output"))


def json_text(value: Any) -> str:
    """A structured answer as the text it was."""
    return orjson.dumps(value, default=str).decode() if value else ""


def _facts(row: dict[str, Any], trace: dict[str, Any]) -> dict[str, Any]:
    start, end = moment(row.get("start_time"), "startTime"), moment(row.get("end_time"), "endTime")
    begun = moment(row.get("completion_start_time"), "completionStartTime")
    usage, costs = dict_of(first(row, "usage_details", "usage")), dict_of(row.get("cost_details"))
    seconds, first_token = amount(row.get("latency"), "latency"), amount(row.get("time_to_first_token"), "ttft")
    found = {
        "at": start or moment(first(row, "timestamp", "created_at"), "timestamp"),
        "external_id": id_of(row.get("id")),
        "span_id": id_of(row.get("id")),
        "trace_id": id_of(row.get("trace_id")),
        "parent_span_id": id_of(row.get("parent_observation_id")),
        "session_id": id_of(first(row, "session_id") or trace.get("session_id")),
        "user_id": id_of(first(row, "user_id") or trace.get("user_id")),
        "model": text_of(row.get("model")),
        "latency_ms": span_ms(start, end) or (seconds and round(seconds * 1000, 3)),
        "first_token_ms": span_ms(start, begun) or (first_token and round(first_token * 1000, 3)),
        "prompt_tokens": count(_figure(usage, row, "input", "prompt_tokens", "input_tokens"), "usage"),
        "completion_tokens": count(_figure(usage, row, "output", "completion_tokens", "output_tokens"), "usage"),
        "cost_usd": amount(first(costs, "total") or first(row, "total_cost", "calculated_total_cost"), "cost"),
        "tags": _tags(row, trace),
    }
    return known(found)


def _figure(usage: dict[str, Any], row: dict[str, Any], *names: str) -> Any:
    found = first(usage, *names)
    return found if found is not None else first(row, *names[1:])


def _tags(row: dict[str, Any], trace: dict[str, Any]) -> dict[str, str]:
    names = {"name": first(row, "name"), "trace": first(row, "trace_name") or trace.get("name")}
    names |= {"environment": row.get("environment"), "prompt_name": row.get("prompt_name")}
    listed = {text_of(tag): True for tag in list_of(first(row, "tags", "trace_tags") or trace.get("tags"))}
    scalars = {
        name: value for name, value in dict_of(row.get("metadata")).items() if not isinstance(value, dict | list)
    }
    return clean_tags({**known(names), **listed, **scalars})


def _scores_in(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Scores beside an observation: a list of scores, or names with their values as the UI's export has them."""
    found = json_of(row.get("scores"))
    if isinstance(found, list):
        return [plain(item) for item in found if isinstance(item, dict)]
    named = [(name, value) for name, value in dict_of(found).items()]
    return [{"name": name, "value": _one(value), "data_type": ""} for name, value in named]


def _one(value: Any) -> Any:
    values = [item for item in value if item is not None] if isinstance(value, list) else [value]
    figures = [item for item in values if isinstance(item, int | float) and not isinstance(item, bool)]
    return number(sum(figures) / len(figures), "scores") if figures and len(figures) == len(values) else values[-1:][0]
