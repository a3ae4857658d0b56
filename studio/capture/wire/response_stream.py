"""The events of a response's stream, put together to its output items as far as they came."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.shapes import as_dict, as_text, dicts, number, string

TEXT_DELTAS = {
    "response.output_text.delta": ("output_text", "text"),
    "response.refusal.delta": ("refusal", "refusal"),
}
REASONING_DELTAS = {
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "summary_text"),
    "response.reasoning_text.delta": ("content", "content_index", "reasoning_text"),
}
ARGUMENT_DELTAS = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}


class Pieces:
    """Items by their place; an item that is told whole takes the place of its pieces."""

    def __init__(self) -> None:
        self._items: dict[int, dict[str, Any]] = {}
        self._parts: dict[tuple[int, str], dict[int, dict[str, Any]]] = {}
        self._whole: set[int] = set()

    def take(self, event: dict[str, Any]) -> None:
        """Add one event."""
        kind, place = event.get("type"), number(event.get("output_index"))
        if kind == "response.output_item.added":
            self._items[place] = as_dict(event.get("item"))
        elif kind == "response.output_item.done":
            self._items[place] = as_dict(event.get("item"))
            self._whole.add(place)
        elif isinstance(event.get("delta"), str):
            self._take_delta(str(kind), place, event)

    def items(self) -> list[dict[str, Any]]:
        """The items, in order."""
        return [self._item(place) for place in sorted(self._items)]

    def _take_delta(self, kind: str, place: int, event: dict[str, Any]) -> None:
        if kind in TEXT_DELTAS:
            named, field = TEXT_DELTAS[kind]
            part = self._part(place, "message", "content", number(event.get("content_index")), named)
            part[field] = string(part.get(field)) + event["delta"]
            if told := dicts(event.get("logprobs")):
                part["logprobs"] = [*dicts(part.get("logprobs")), *told]
        elif kind in REASONING_DELTAS:
            where, index, named = REASONING_DELTAS[kind]
            part = self._part(place, "reasoning", where, number(event.get(index)), named)
            part["text"] = string(part.get("text")) + event["delta"]
        elif kind in ARGUMENT_DELTAS:
            named, field = ARGUMENT_DELTAS[kind]
            item = self._items.setdefault(place, {"type": named, "id": as_text(event.get("item_id"))})
            if place not in self._whole:
                self._items[place] = {**item, field: string(item.get(field)) + event["delta"]}

    def _part(self, place: int, kind: str, where: str, index: int, named: str) -> dict[str, Any]:
        self._items.setdefault(place, {"type": kind})
        return self._parts.setdefault((place, where), {}).setdefault(index, {"type": named})

    def _item(self, place: int) -> dict[str, Any]:
        item = self._items[place]
        if place in self._whole:
            return item
        joined = {
            where: [parts[index] for index in sorted(parts)]
            for (at, where), parts in self._parts.items()
            if at == place
        }
        return {**item, **joined}
