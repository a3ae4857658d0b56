"""The helper that cleans big records, held at a gate: it begins with nothing until a file is there.

python -m tests.fakes.held_cleaner GATE SECRETS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from studio.capture.privacy.beside import Beside, main


class Held(Beside):
    """The real helper behind a gate."""

    def __init__(self, secrets: Path, gate: Path) -> None:
        super().__init__(secrets)
        self.gate = gate
        self.command = [sys.executable, "-m", "tests.fakes.held_cleaner", str(gate), str(secrets)]

    def open(self) -> None:
        self.gate.touch()


if __name__ == "__main__":
    while not Path(sys.argv[1]).exists():
        time.sleep(0.02)
    main(Path(sys.argv[2]))
