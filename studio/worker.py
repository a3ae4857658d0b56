"""The worker process: runs jobs, keeps embedded model servers as desired, collects labels. Imports no torch."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable

from storage.artifacts import Artifacts
from storage.database import Database
from studio.errors import StudioError
from studio.jobs.local import LocalWorker
from studio.settings import Settings

TICK_S = 0.5
RECONCILE_S = 2.0
COLLECT_S = 15.0
log = logging.getLogger("studio.worker")


class Periodic(threading.Thread):
    """Calls something every so often beside the jobs. A StudioError is logged; anything else ends the worker loudly."""

    def __init__(self, name: str, seconds: float, call: Callable[[], object], stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.seconds, self.call, self.stop = seconds, call, stop
        self.bug: Exception | None = None
        self._last = ""

    def run(self) -> None:
        """Call until told to stop."""
        while not self.stop.wait(self.seconds):
            try:
                self.call()
                self._last = ""
            except StudioError as error:
                self._log_once(error.message)
            except Exception as error:
                self.bug = error
                self.stop.set()

    def _log_once(self, message: str) -> None:
        if message != self._last:
            log.warning("%s: %s", self.name, message)
        self._last = message


def work(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop` is set, then stop every running job; they resume with the next worker.

    After a crash nothing is stopped: the next worker adopts what runs.
    """
    database = Database(settings.database)
    worker = LocalWorker(settings, database)
    others = [
        Periodic("deployments", RECONCILE_S, _reconcile(settings, database), stop),
        Periodic("labels", COLLECT_S, _collect(settings), stop),
    ]
    for other in others:
        other.start()
    while not stop.wait(TICK_S):
        worker.tick()
    for other in others:
        if other.bug:  # running jobs go on and are adopted by the next worker
            raise other.bug
    worker.stop_all()
    worker.close()


def _reconcile(settings: Settings, database: Database) -> Callable[[], object]:
    artifacts = Artifacts(settings.artifacts)

    def call() -> None:
        from studio.deploy.reconcile import reconcile

        reconcile(database, settings, artifacts)

    return call


def _collect(settings: Settings) -> Callable[[], object]:
    studio: list[object] = []

    def call() -> None:
        from studio.bootstrap import build_studio

        studio[:] = studio or [build_studio(settings)]
        studio[0].labeling.sync_open()  # type: ignore[attr-defined]

    return call


def main() -> int:
    """Start, and leave cleanly on TERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        work(Settings(), stop)
    except StudioError as error:
        log.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
