"""The systems whose rows are understood. A row is recognised by what is in it, never by the file's name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from studio.capture.importers.columns import ColumnMapping, Columns
from studio.capture.importers.port import Importer
from studio.errors import NotFound

COLUMNS = "columns"
IMPORTERS: dict[str, str] = {
    "helicone": "studio.capture.importers.helicone:Helicone",
    "portkey": "studio.capture.importers.portkey:Portkey",
    "langfuse": "studio.capture.importers.langfuse:Langfuse",
    "litellm": "studio.capture.importers.litellm:LiteLLM",
    "argilla": "studio.capture.importers.argilla_records:ArgillaRecords",
    "openpipe": "studio.capture.importers.openpipe:OpenPipe",
    "preference": "studio.capture.importers.preference:Preference",
    "anthropic": "studio.capture.importers.anthropic:AnthropicMessages",
    "sharegpt": "studio.capture.importers.sharegpt:ShareGPT",
    "alpaca": "studio.capture.importers.sharegpt:Alpaca",
    "openai": "studio.capture.importers.openai_chat:OpenAIChat",
}
"""The more particular ones first: where as many rows match several, the first one is taken."""
ENTRY_POINT_GROUP = "whetstone.importers"


def names() -> list[str]:
    """Every format, those of others first: they know their own rows best."""
    return [*_others(), *IMPORTERS, COLUMNS]


def importer(name: str, mapping: ColumnMapping | None = None) -> Importer:
    """The importer of a format. Raises NotFound."""
    if name == COLUMNS:
        return Columns(mapping)
    target = _others().get(name) or IMPORTERS.get(name)
    if target is None:
        raise NotFound(f"There is no importer for {name!r}. There are: {', '.join(names())}.")
    module, _, made = target.partition(":")
    found: Importer = getattr(import_module(module), made)()
    return found


def labels() -> dict[str, str]:
    """Format → its name for people."""
    return {name: importer(name).label for name in names()}


def examples() -> dict[str, str]:
    """Format → a row, shortened."""
    return {name: importer(name).example for name in names()}


def recognise(rows: Sequence[dict[str, Any]]) -> str:
    """The format that most of these rows have; a table with columns of its own where none has."""
    best, most = COLUMNS, 0
    for name in [*_others(), *IMPORTERS]:
        matches = importer(name).matches
        hits = sum(matches(row) for row in rows)
        if hits > most:
            best, most = name, hits
    return best


@cache
def _others() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
