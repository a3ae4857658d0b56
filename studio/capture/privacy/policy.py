"""Policy: what of a project's calls is written down."""

from __future__ import annotations

from dataclasses import dataclass

RECORDS = ("full", "metadata", "off")


@dataclass(frozen=True)
class Policy:
    """One project's choice. The default keeps everything but keys, for ever."""

    record: str = "full"
    """full; metadata: facts (model, tokens, cost, times, tags) but no text; off: nothing."""
    detectors: tuple[str, ...] = ()
    """Kinds of personal data that are taken out."""
    patterns: tuple[tuple[str, str], ...] = ()
    """The project's own, (name, pattern)."""
    pseudonyms: bool = False
    """Whether an admin can read again what was taken out."""
    retention_days: int | None = None

    @property
    def looks_for_personal_data(self) -> bool:
        """Whether texts are searched for more than keys."""
        return bool(self.detectors or self.patterns)


FULL = Policy()
UNKNOWN = Policy(record="metadata")
"""Before the policies could be read for the first time: facts, no text."""
