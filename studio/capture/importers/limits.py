"""What a packed file may come to, counted on what really comes out of it."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from studio.errors import InvalidInput, StorageFull, StudioError

HARMLESS = 64 << 20
"""Bytes that may come out of anything."""
MOST_TIMES = 250
"""Logs shrink to a tenth or a fiftieth when packed; what grows more than this is a bomb."""
MOST_BYTES = 200 << 30
MOST_FILES = 1000
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Budget:
    """Counts what comes out of one file."""

    packed: int
    most: int = MOST_BYTES
    unpacked: int = 0

    def take(self, size: int) -> None:
        """Count bytes. Raises InvalidInput when they are too many for what they came out of."""
        self.unpacked += size
        if self.unpacked > max(HARMLESS, MOST_TIMES * self.packed):
            raise InvalidInput(
                f"The file grows more than {MOST_TIMES} times when it is unpacked, which logs never do. It is refused."
                " Unpack it yourself if you trust it, and import what is inside."
            )
        if self.unpacked > self.most:
            raise InvalidInput(f"The file is larger than {self.most >> 20:,} MB when it is unpacked. Split it.")


def damage(error: Exception, what: str) -> StudioError:
    """What to say of a packed file that cannot be read on; a full disk is no fault of the file."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return StorageFull()
    return InvalidInput(f"The {what} is damaged ({error}). Pack it again.")
