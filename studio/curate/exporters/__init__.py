"""Exporters: the ports, and the catalog of the formats a version can be downloaded in; one file per format."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, BinaryIO, Protocol, runtime_checkable

import orjson

from storage.artifacts import Artifacts
from studio.curate.kto import Judged, read_judged
from studio.curate.pairs import Pair, read_pairs
from studio.curate.snapshot import Row, read_split
from studio.errors import NotFound

EXPORTERS: dict[str, str] = {
    "openai": "studio.curate.exporters.openai_jsonl:OpenAIJsonl",
    "openai_dpo": "studio.curate.exporters.openai_dpo:OpenAIPreferences",
    "trl": "studio.curate.exporters.trl_jsonl:TrlJsonl",
    "dpo": "studio.curate.exporters.trl_dpo:TrlPreferences",
    "kto": "studio.curate.exporters.trl_kto:TrlJudgements",
    "sharegpt": "studio.curate.exporters.sharegpt:ShareGpt",
}
ENTRY_POINT_GROUP = "whetstone.exporters"


@runtime_checkable
class Exporter(Protocol):
    """Writes the rows of one split, or its preference pairs, in the format of another tool."""

    label: str
    """What people call the format."""
    suffix: str
    """File name ending, dot included."""

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write the rows and return how many lines were written."""
        ...


@runtime_checkable
class PairExporter(Protocol):
    """Writes preference pairs instead of rows."""

    label: str
    suffix: str

    def write_pairs(self, pairs: Iterable[Pair], target: BinaryIO) -> int:
        """Write the pairs and return how many lines were written."""
        ...


@runtime_checkable
class JudgedExporter(Protocol):
    """Writes single judgements instead of rows."""

    label: str
    suffix: str

    def write_judged(self, judged: Iterable[Judged], target: BinaryIO) -> int:
        """Write the judgements and return how many lines were written."""
        ...


AnyExporter = Exporter | PairExporter | JudgedExporter


def exporter(name: str) -> AnyExporter:
    """The exporter of this name. Raises NotFound."""
    target = EXPORTERS.get(name) or {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}.get(
        name
    )
    if target is None:
        raise NotFound(f"There is no export format {name!r}. Choose one of: {', '.join(EXPORTERS)}.")
    module, _, attribute = target.partition(":")
    made: AnyExporter = getattr(import_module(module), attribute)()
    return made


def write_version(chosen: AnyExporter, artifacts: Artifacts, digest: str, split: str, target: BinaryIO) -> int:
    """Write one split of a frozen version; returns how many lines there are."""
    if isinstance(chosen, PairExporter):
        return chosen.write_pairs(read_pairs(artifacts, digest, split), target)
    if isinstance(chosen, JudgedExporter):
        return chosen.write_judged(read_judged(artifacts, digest, split), target)
    return chosen.write(read_split(artifacts, digest, split), target)


def write_lines(lines: Iterable[Any], target: BinaryIO) -> int:
    """Write each value as one line of JSON and return how many lines there were."""
    count = 0
    for line in lines:
        target.write(orjson.dumps(line) + b"\n")
        count += 1
    return count
