"""What a fake container runs: FakeTgi in a process of its own, told what to be by its arguments and environment.

The mounted model folder may hold `answers.json` (prompt → token ids), so that what answers depends on the mount.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from tests.fakes.tgi import FakeTgi


def main() -> int:
    """Serve until TERM, and say so."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    folder = Path(os.environ["FAKE_MODEL_FOLDER"])
    if not (folder / "config.json").exists():
        print(f"Error: no config.json in {_model()}", flush=True)
        return 3
    answers = folder / "answers.json"
    fake = FakeTgi(
        name=_model(),
        key=os.environ.get("API_KEY", ""),
        answers=json.loads(answers.read_text()) if answers.exists() else {},
    )
    with fake.running():
        print(f"listening on {fake.url}", flush=True)
        ended.wait()
    print("signal received, finishing what is being answered", flush=True)
    return 0


def _model() -> str:
    """TGI is told its model by a flag, vLLM by its first argument."""
    return sys.argv[sys.argv.index("--model-id") + 1] if "--model-id" in sys.argv else sys.argv[1]


if __name__ == "__main__":
    sys.exit(main())
