"""A worker process that only runs jobs, with a quick tick and a short grace; `warm` as argument: with warm start."""

from __future__ import annotations

import signal
import sys
import threading

from storage.database import Database
from studio.jobs.local import LocalWorker
from studio.jobs.warm.client import WarmStart
from studio.settings import Settings

WARM_KINDS, WARM_MODULES = ("test_steps",), ("studio.run_job", "studio.jobs.attempt", "numpy", "tests.fakes.job_kinds")


def main(tick_s: float = 0.05, grace_s: float = 1.0) -> None:
    """Run until TERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    settings = Settings()
    warm = WarmStart(settings, WARM_KINDS, WARM_MODULES) if "warm" in sys.argv else None
    worker = LocalWorker(settings, Database(settings.database), grace_s, warm)
    print("worker up", flush=True)
    while not stop.wait(tick_s):
        worker.tick()
    worker.stop_all()
    worker.close()


if __name__ == "__main__":
    sys.exit(main())
