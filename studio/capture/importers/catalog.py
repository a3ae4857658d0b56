"""Which importer reads a file, by how it begins."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from studio.capture.importers.port import Importer
from studio.errors import InvalidInput, NotFound

IMPORTERS: dict[str, str] = {"openai_jsonl": "studio.capture.importers.openai_jsonl:OpenAIJsonl"}
ENTRY_POINT_GROUP = "whetstone.importers"
HEAD = 4096

REFUSED = (
    (b"\x1f\x8b", "This file is packed with gzip. Unpack it first (gunzip), then import the .jsonl file."),
    (b"PK\x03\x04", "This file is a zip archive. Unpack it first, then import the .jsonl file."),
    (b"PAR1", "This file is Parquet. Write it as JSON lines first (DuckDB: COPY … TO 'calls.jsonl')."),
    (b"\xff\xfe", "This file is UTF-16. Save it as UTF-8, then import it again."),
    (b"\xfe\xff", "This file is UTF-16. Save it as UTF-8, then import it again."),
)
ARRAY = "This file is one JSON array. Write one object per line (jq -c '.[]' calls.json > calls.jsonl)."


def importer(name: str) -> Importer:
    """The importer of a format. Raises NotFound."""
    target = IMPORTERS.get(name) or {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}.get(
        name
    )
    if target is None:
        raise NotFound(f"There is no importer for {name!r}.")
    module, _, made = target.partition(":")
    found: Importer = getattr(import_module(module), made)()
    return found


def recognise(path: Path) -> str:
    """The format of a file. Raises InvalidInput with the fix where it cannot be one of ours."""
    if not path.is_file():
        raise InvalidInput(f"There is no file at {path}. Choose it again.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise InvalidInput("The file is empty. Choose a file with at least one line.")
    for magic, fix in REFUSED:
        if head.startswith(magic):
            raise InvalidInput(fix)
    if text.startswith(b"["):
        raise InvalidInput(ARRAY)
    return "openai_jsonl"
