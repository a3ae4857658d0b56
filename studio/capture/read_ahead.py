"""A helper process that reads the journal ahead while the recorder writes to the database.

The recorder starts it (`python -m studio.capture.read_ahead`) while much waits; it ends when the recorder does.
"""

from __future__ import annotations

import fcntl
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from studio.capture.batch import Batch, Stretch, collect_rarely, read_batch

GONE = (EOFError, BrokenPipeError, pickle.UnpicklingError)
"""What reading raises when the helper has ended."""
PIPE_BYTES = 1 << 20
"""As much as Linux gives without asking: a batch is passed on with a sixteenth of the usual turns between the two."""


class ReadAhead:
    """A helper process that reads the next batch of a segment while the last one is written."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "studio.capture.read_ahead"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._back = self._process.stdout
        with suppress(OSError, AttributeError):  # a container's limit, or no Linux: it works with the usual one too
            fcntl.fcntl(self._back, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def batches(self, stretch: Stretch) -> Iterator[Batch]:
        """Batch after batch to the end of the segment. Raises GONE when the helper is."""
        to, back = self._process.stdin, self._back
        assert to
        pickle.dump(stretch, to)
        to.flush()
        while (batch := pickle.load(back)).end > batch.start:  # noqa: S301 - our own child
            yield batch

    def close(self) -> None:
        """End the helper, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Read what is asked for on stdin until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the recorder's to answer
    collect_rarely()
    with suppress(EOFError, BrokenPipeError):
        while True:
            stretch = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent
            while (batch := _send(read_batch(stretch))).end > batch.start:
                stretch = replace(stretch, start=batch.end)


def _send(batch: Batch) -> Batch:
    pickle.dump(batch, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
    return batch


if __name__ == "__main__":
    main()
