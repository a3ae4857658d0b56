"""What `/proc` shows of a forked process: Linux reads its environment and command line out of its own memory.

A forked job shows its parent's, and so would not be found by its run's cookie. It writes its own over them; no right
is needed for that. Linux only.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

ARGUMENTS, ENVIRONMENT = slice(45, 47), slice(47, 49)
"""Fields of /proc/self/stat after the name: where each block starts and ends."""


def show(argv: list[str], first: str, env: dict[str, str]) -> bool:
    """Make `env` this process's environment, for itself, its children and /proc, the variable `first` first.

    False when the system does not tell where the blocks are. What does not fit is not shown.
    """
    os.environ.clear()
    os.environ.update(env)  # every string is copied, so that nothing points into the old block any more
    ordered = {first: env[first], **env} if first in env else env
    shown = [f"{name}={value}" for name, value in ordered.items()]
    return _overwrite(ENVIRONMENT, shown) and _overwrite(ARGUMENTS, argv)


def _overwrite(block: slice, texts: list[str]) -> bool:
    start, end = map(int, Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[block])
    size = end - start
    if not start or size <= 0:
        return False
    ctypes.memmove(start, _fitting(texts, size).ljust(size, b"\0"), size)
    return True


def _fitting(texts: list[str], size: int) -> bytes:
    """As many whole texts, each with its NUL, as fit."""
    block = b""
    for text in texts:
        encoded = os.fsencode(text) + b"\0"
        if len(block) + len(encoded) > size:
            break
        block += encoded
    return block
