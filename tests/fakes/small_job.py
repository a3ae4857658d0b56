"""A job that behaves as `studio.train.recipes.run` does from outside, in milliseconds: what runners are tested with."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main(folder: Path) -> int:
    """Do what how.json says."""
    how: dict[str, Any] = json.loads((folder / "how.json").read_text())
    if mark := os.environ.get("JOB_MARK"):
        with open(mark, "a") as stream:
            stream.write(f"{os.getpid()}\n")
    signal.signal(signal.SIGTERM, lambda _number, _frame: _stopped(folder, how.get("saving_s", 0)))
    print("Loading the trainer", flush=True)
    with (folder / "events.jsonl").open("a") as events:
        for step in range(1, how.get("steps", 3) + 1):
            event = {"at": time.time(), "kind": "log", "step": step, "max_steps": how.get("steps", 3), "loss": 1 / step}
            events.write(json.dumps(event) + "\n")
            events.flush()
            time.sleep(how.get("pause_s", 0.0))
    if how.get("code"):
        told = {"error": "The run did not fit in memory.", "type": "OutOfMemory", "is_ours": True}
        (folder / "error.json").write_text(json.dumps(told))
        print("it went wrong", flush=True)
        return int(how["code"])
    (folder / "adapter").mkdir(exist_ok=True)
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(bytes(range(256)) * how.get("kilobytes", 64) * 4)
    (folder / "adapter" / "training_args.bin").write_bytes(b"a pickle, which nobody wants")
    summary = {"steps": how.get("steps", 3), "wall_s": 36.0, "stopped": False} | how.get("summary", {})
    (folder / "summary.json").write_text(json.dumps(summary))
    print("done", flush=True)
    return 0


def _stopped(folder: Path, saving_s: float) -> None:
    time.sleep(saving_s)
    (folder / "summary.json").write_text(json.dumps({"stopped": True}))
    print("a checkpoint was saved", flush=True)
    os._exit(143)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
