"""What must never reach a server: pickles, code, and weights that are not whole. Nothing is loaded to find out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from studio.deploy.artifact.files import Files, read_json, told_by

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
"""Names under which Python objects are stored: reading one runs whatever it says."""
CODE = (".py", ".pyc", ".so", ".sh", ".dll", ".dylib")
CONFIGS = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")
INDEX = ".safetensors.index.json"
LARGEST_HEADER = 100 << 20
MAGIC = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How torch's archives and pickles begin, whatever they are called."""
BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}
SHOWN = 3


def dangers(files: Files) -> list[str]:
    """Why these files must not be served, each with the fix; empty when they are data and whole."""
    sizes = files.sizes()
    found = [_pickled(_named(sizes, PICKLES)), _coded(_named(sizes, CODE)), _remote_code(files, sizes)]
    return [text for text in found if text] + list(_broken(files, sizes))


def tensors(files: Files) -> dict[str, tuple[int, ...]]:
    """Shape by name over all safetensors files, read from their headers. Raises ValueError on a broken one."""
    found: dict[str, tuple[int, ...]] = {}
    for name, size in files.sizes().items():
        if name.endswith(".safetensors"):
            with files.open(name) as stream:
                found |= {key: tuple(told["shape"]) for key, told in _header(stream, size).items()}
    return found


def _named(sizes: dict[str, int], endings: tuple[str, ...]) -> list[str]:
    return [name for name in sizes if PurePosixPath(name.lower()).suffix in endings]


def _pickled(names: list[str]) -> str:
    if not names:
        return ""
    return (
        f"It holds pickled Python objects ({_some(names)}): loading one can run any program. They are never opened "
        "here. Save the model again with save_pretrained, which writes safetensors, and leave these files out."
    )


def _coded(names: list[str]) -> str:
    if not names:
        return ""
    return (
        f"It holds program code ({_some(names)}). Models that bring their own code are not served. Choose a base of "
        "an architecture that transformers itself knows."
    )


def _remote_code(files: Files, sizes: dict[str, int]) -> str:
    wanting = [name for name in CONFIGS if name in sizes and "auto_map" in read_json(files, name)]
    if not wanting:
        return ""
    return (
        f"{_some(wanting)} asks the server to run code that comes with the model (auto_map). That is not allowed: "
        "choose a base of an architecture that transformers itself knows."
    )


def _broken(files: Files, sizes: dict[str, int]) -> Iterator[str]:
    for name, size in sizes.items():
        if name.endswith(".safetensors"):
            with files.open(name) as stream:
                if why := _unsound(stream, size):
                    yield f"{name} is not whole: {why}. Make the model again, or restore it from a backup."
        elif name.endswith(INDEX):
            yield from _missing_shards(read_json(files, name), name, sizes)
        elif name in CONFIGS and told_by(files, name) is None:
            yield f"{name} is not readable JSON. Make the model again, or restore it from a backup."


def _missing_shards(index: dict[str, Any], name: str, sizes: dict[str, int]) -> Iterator[str]:
    told = index.get("weight_map")
    if not isinstance(told, dict) or not told:
        yield f"{name} lists no weights. Make the model again, or restore it from a backup."
        return
    folder = PurePosixPath(name).parent
    wanted = {str(folder / str(shard)) for shard in told.values()}
    if absent := sorted(wanted - sizes.keys()):
        yield f"{name} lists files that are not there: {_some(absent)}. Make the model again, or restore a backup."


def _unsound(stream: BinaryIO, size: int) -> str:
    """Why a safetensors file is not one, or not whole; empty when its header and its length agree."""
    try:
        _header(stream, size)
    except ValueError as error:
        return str(error)
    return ""


def _header(stream: BinaryIO, size: int) -> dict[str, Any]:
    """The tensors a file says it holds, checked against its length. Raises ValueError with the reason."""
    start = stream.read(8)
    if start[:4] in MAGIC or start[:2] in MAGIC:
        raise ValueError("it is a pickle or an archive under another name")
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise ValueError(f"it ends within its header ({size:,} bytes)")
    try:
        found = json.loads(stream.read(length))
        told = {name: entry for name, entry in found.items() if name != "__metadata__"}
        ends = [_end(entry) for entry in told.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("its header is damaged") from error
    wanted = 8 + length + max(ends, default=0)
    if wanted != size:
        raise ValueError(f"it has {size:,} bytes where its header tells of {wanted:,}")
    return told


def _end(entry: dict[str, Any]) -> int:
    """Where a tensor's bytes end; its shape and type must give as many bytes as it says it has."""
    start, end = (int(at) for at in entry["data_offsets"])
    numbers = math.prod(int(length) for length in entry["shape"])
    bits = BITS.get(str(entry["dtype"]))  # a type that is newer than this list is taken at its word
    if not 0 <= start <= end or (bits is not None and (end - start) * 8 != numbers * bits):
        raise ValueError("a tensor's length is wrong")
    return end


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(name[:80] for name in listed[:SHOWN]) + more
