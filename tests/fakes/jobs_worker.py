"""A worker process that only runs jobs, with a quick tick and a short grace: `python -m tests.fakes.jobs_worker`."""

from __future__ import annotations

import signal
import sys
import threading

from storage.database import Database
from studio.jobs.local import LocalWorker
from studio.settings import Settings


def main(tick_s: float = 0.05, grace_s: float = 1.0) -> None:
    """Run until TERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    settings = Settings()
    worker = LocalWorker(settings, Database(settings.database), grace_s)
    print("worker up", flush=True)
    while not stop.wait(tick_s):
        worker.tick()
    worker.stop_all()
    worker.close()


if __name__ == "__main__":
    sys.exit(main())
