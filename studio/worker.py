"""The worker process: runs jobs, keeps model servers as desired, collects labels. Imports no torch."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from storage.artifacts import Artifacts
from storage.database import Database
from studio.errors import StudioError
from studio.jobs.local import LocalWorker
from studio.jobs.retention import clean
from studio.settings import Settings

if TYPE_CHECKING:
    from studio.deploy.side_by_side import SideBySide
    from studio.label.tasks import Labeling

TICK_S = 0.5
RECONCILE_S = 2.0
LISTEN_S, COLLECT_S = 0.5, 15.0
"""Labels are collected soon after a hint from Argilla, and every so often without one: hints may get lost."""
PATIENCE_S = 5.0
CLEAN_S, COOL_S = 600.0, 60.0
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


class Due:
    """Whether to look again: the hint file was touched since the last look, or enough time has passed."""

    def __init__(self, hint: Path, seconds: float) -> None:
        self.hint, self.seconds = hint, seconds
        self._touched, self._looked = 0.0, time.monotonic()

    def __call__(self) -> bool:
        """Answer once per touch and once per interval."""
        touched = self.hint.stat().st_mtime if self.hint.exists() else 0.0
        if touched == self._touched and time.monotonic() - self._looked < self.seconds:
            return False
        self._touched, self._looked = touched, time.monotonic()
        return True


def work(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop` is set, then stop every running job and server; they come back with the next worker.

    After a crash nothing is stopped: the next worker adopts what runs.
    """
    database, artifacts = Database(settings.database), Artifacts(settings.artifacts)
    worker = LocalWorker(settings, database)
    steps = _steps(database, settings, artifacts)
    others = [
        Periodic("deployments", RECONCILE_S, lambda: steps()(), stop),
        Periodic("guardrail", RECONCILE_S, lambda: _guard(database), stop),
        Periodic("warm servers", COOL_S, lambda: _cool(database, settings), stop),
        Periodic("labels", LISTEN_S, _collect(settings), stop),
        Periodic("old runs", CLEAN_S, lambda: clean(database, settings), stop),
        Periodic("old calls", CLEAN_S, lambda: _delete_old_calls(database, settings), stop),
        Periodic("old figures", CLEAN_S, lambda: _clean_traffic(database), stop),
    ]
    for other in others:
        other.start()
    while not stop.wait(TICK_S):
        worker.tick()
    for other in others:
        other.join(PATIENCE_S)
        if other.bug:
            raise other.bug
    steps().close()
    _stop_servers(database, settings, artifacts)
    worker.stop_all()
    worker.close()


def _stop_servers(database: Database, settings: Settings, artifacts: Artifacts) -> None:
    from studio.deploy.reconcile import stop_servers

    stop_servers(database, settings, artifacts)


def _delete_old_calls(database: Database, settings: Settings) -> int:
    from studio.capture.privacy.retention import delete_old

    return delete_old(database, settings)


def _clean_traffic(database: Database) -> int:
    from studio.deploy.traffic import clean_traffic

    return clean_traffic(database)


def _steps(database: Database, settings: Settings, artifacts: Artifacts) -> Callable[[], SideBySide]:
    @cache
    def made() -> SideBySide:
        from studio.deploy.side_by_side import SideBySide

        return SideBySide(database, settings, artifacts)

    return made


def _guard(database: Database) -> None:
    from studio.deploy.guard import guard

    guard(database)


def _cool(database: Database, settings: Settings) -> None:
    from studio.deploy.cooling import cool

    cool(database, settings)


def _collect(settings: Settings) -> Callable[[], object]:
    @cache
    def labeling() -> Labeling:
        from studio.bootstrap import build_studio

        return build_studio(settings).labeling

    due = Due(settings.sync_hint, COLLECT_S)
    return lambda: labeling().sync_open() if due() else None


def main() -> int:
    """Start, and leave cleanly on TERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every health check
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
