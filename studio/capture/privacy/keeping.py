"""The gateway's cleaner, and the reading of the policies beside its calls."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from storage.database import Database
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.policies import FreshPolicies, Policies
from studio.capture.privacy.redactor import Redactor
from studio.capture.privacy.sealing import sealing

EVERY_S = 1.0

log = logging.getLogger(__name__)


class KeptFresh:
    """A cleaner whose policies are read again every second; while the database is away the last ones stay in force."""

    def __init__(self, secrets: Path, database: Database | None) -> None:
        """Without a database (in tests) there are no policies either: keys only."""
        self._policies = Policies(database) if database else None
        self._failing = False
        redactor, seal = Redactor.of(secrets), sealing(secrets)
        self.cleaner = Cleaner(redactor, self._policies, seal) if self._policies else Cleaner(redactor, seal=seal)

    async def refresh(self) -> None:
        """Read the policies once."""
        if self._policies is None:
            return
        try:
            await asyncio.to_thread(self._policies.load)
            self._failing = False
        except Exception as error:  # whatever is wrong with the database or a row: what was known stays in force
            if not self._failing:
                log.error("The privacy policies cannot be read; the last ones stay in force: %s", error)
            self._failing = True

    async def keep_fresh(self) -> None:
        """Read the policies every second, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY_S)


def fresh_cleaner(secrets: Path, database: Database) -> Cleaner:
    """A cleaner for processes that write now and then: it asks for a policy when it needs one."""
    return Cleaner(Redactor.of(secrets), FreshPolicies(database), sealing(secrets))
