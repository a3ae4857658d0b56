"""A hint to the worker that labeling answers changed: a file whose time stamp it compares; reading it costs nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class SyncHint:
    """Touches the file; the worker syncs soon instead of at its next regular time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: dict[str, Any]) -> None:
        """Mark that something changed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
        except OSError as error:
            log.warning("The labeling hint could not be left; answers arrive at the next regular sync: %s", error)
