"""Exporters: the port, and the catalog of the formats a version can be downloaded in; one file per format."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, BinaryIO, Protocol

import orjson

from studio.curate.snapshot import Row
from studio.errors import NotFound

EXPORTERS: dict[str, str] = {
    "openai": "studio.curate.exporters.openai_jsonl:OpenAIJsonl",
    "openai_dpo": "studio.curate.exporters.openai_dpo:OpenAIPreferences",
    "trl": "studio.curate.exporters.trl_jsonl:TrlJsonl",
    "sharegpt": "studio.curate.exporters.sharegpt:ShareGpt",
}
ENTRY_POINT_GROUP = "whetstone.exporters"


class Exporter(Protocol):
    """Writes rows in the format of another tool."""

    label: str
    """What people call the format."""
    suffix: str
    """File name ending, dot included."""

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write the rows and return how many were written."""
        ...


def exporter(name: str) -> Exporter:
    """The exporter of this name. Raises NotFound."""
    target = EXPORTERS.get(name) or {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}.get(
        name
    )
    if target is None:
        raise NotFound(f"There is no export format {name!r}. Choose one of: {', '.join(EXPORTERS)}.")
    module, _, attribute = target.partition(":")
    made: Exporter = getattr(import_module(module), attribute)()
    return made


def write_lines(lines: Iterable[Any], target: BinaryIO) -> int:
    """Write each value as one line of JSON and return how many lines there were."""
    count = 0
    for line in lines:
        target.write(orjson.dumps(line) + b"\n")
        count += 1
    return count
