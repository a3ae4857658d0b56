"""What a run printed, taken apart: the job's own lines, its events, and results that travelled with them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from studio.train.runners.far_end import MARK

PREFIX = MARK.encode()


@dataclass
class Printed:
    """One piece of a log."""

    lines: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    taken: int = 0
    """Bytes that were whole lines; the rest is read again with what follows."""


def taken_apart(block: bytes, ended: bool = False) -> Printed:
    """Sort the whole lines of a block."""
    whole = block if ended else block[: block.rfind(b"\n") + 1]
    found = Printed(taken=len(whole))
    for line in whole.splitlines():
        if not line.startswith(PREFIX):
            found.lines.append(line.decode("utf-8", "replace"))
        elif line.startswith(PREFIX + b"event "):
            found.events.append(line.removeprefix(PREFIX + b"event "))
    return found


def results_in(log: bytes) -> bytes | None:
    """The results that the job printed; None when they are not there whole."""
    lines = [line.removeprefix(PREFIX) for line in log.splitlines() if line.startswith(PREFIX)]
    sizes = [line for line in lines if line.startswith(b"end ")]
    try:
        found = b"".join(base64.b64decode(line[8:], validate=True) for line in lines if line.startswith(b"results "))
    except binascii.Error:
        return None
    return found if sizes and len(found) == int(sizes[-1][4:]) else None
