"""How torch, the CUDA driver and the disk say what happened to them: errors told apart without importing torch."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED|std::bad_alloc"
    r"|MemoryError|OutOfMemoryError",
    re.IGNORECASE,
)
DISK = re.compile(
    r"no space left on device|disk quota exceeded|file too large|the disk is full|StorageFull"
    r"|PytorchStreamWriter failed|unexpected pos \d+ vs \d+",
    re.IGNORECASE,
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine's or the GPU's memory ran out."""
    return isinstance(error, MemoryError) or bool(MEMORY.search(_told(error)))


def is_disk_full(error: BaseException) -> bool:
    """Whether the disk, a quota or a file's limit was reached."""
    return any(getattr(each, "errno", None) in FULL or bool(DISK.search(_told(each))) for each in chain(error))


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
