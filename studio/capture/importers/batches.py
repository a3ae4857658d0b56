"""Batches: what was asked lies in one file, what was answered in another; `custom_id` joins them."""

from __future__ import annotations

from typing import Any

from studio.capture.importers import anthropic, openai_chat
from studio.capture.importers.layouts.port import Layout, Place
from studio.capture.importers.port import Refused

MOST = 2_000_000
MISSING = (
    "No row of the batch's input has the custom_id {!r}. Put the input that belongs to this output into the archive."
)


class BatchInputs:
    """Knows where in the inputs each request lies, and reads it when its answer comes by."""

    def __init__(self, layouts: list[Layout]) -> None:
        self._places: dict[str, tuple[Layout, Place]] = {}
        for layout in layouts:
            self._index(layout)

    @staticmethod
    def is_input(row: dict[str, Any]) -> bool:
        """Whether this is a request of a batch, OpenAI's or Anthropic's."""
        return openai_chat.is_input(row) or anthropic.is_input(row)

    def joined(self, row: dict[str, Any]) -> dict[str, Any]:
        """An answer with its request beside it; other rows as they are. Raises Refused."""
        if "request" in row or not (openai_chat.is_output(row) or anthropic.is_result(row)):
            return row
        found = self._places.get(str(row["custom_id"]))
        if found is None:
            raise Refused(MISSING.format(row["custom_id"]), "custom_id")
        layout, place = found
        asked = next(layout.rows(place)).data or {}
        return {**row, "request": asked.get("body") or asked.get("params")}

    def _index(self, layout: Layout) -> None:
        place = Place()
        for raw in layout.rows():
            if raw.data is not None and "custom_id" in raw.data and len(self._places) < MOST:
                self._places[str(raw.data["custom_id"])] = (layout, place)
            place = Place(raw.end, raw.number)
