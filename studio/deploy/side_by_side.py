"""Reconciling side by side: a place that hangs keeps its own revision waiting, and nobody else's."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.deployments import RevisionRepository
from storage.tables import Revision
from studio.deploy.reconcile import step
from studio.errors import StudioError
from studio.settings import Settings

AT_ONCE = 16
PATIENCE_S, LAST_S = 1.0, 5.0


class SideBySide:
    """Calls `step` for every revision, each in a thread; one whose last step has not come back is left alone."""

    def __init__(self, database: Database, settings: Settings, artifacts: Artifacts) -> None:
        self.database, self.settings, self.artifacts = database, settings, artifacts
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reconcile")
        self._under_way: dict[str, Future[StudioError | None]] = {}

    def __call__(self) -> None:
        """One pass; it waits a moment for the steps. Raises the first error of those that have come back."""
        with self.database.read() as session:
            found = RevisionRepository(session).to_reconcile()
        for revision in found:
            if revision.id not in self._under_way:
                self._under_way[revision.id] = self._pool.submit(self._step, revision)
        done = wait(list(self._under_way.values()), PATIENCE_S).done
        ended = [self._under_way.pop(key) for key, future in list(self._under_way.items()) if future in done]
        errors = [error for future in ended if (error := future.result())]
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Start no more steps, and give those under way a moment to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(list(self._under_way.values()), LAST_S)

    def _step(self, revision: Revision) -> StudioError | None:
        return step(self.database, self.settings, self.artifacts, revision)
