"""Answers over HTTP from an OpenAI-compatible provider."""

from __future__ import annotations

from storage.tables import Model
from studio.asking.provider import ProviderClient
from studio.evaluate.generators import Bench


class ProviderGenerator(ProviderClient):
    """One provider's model, asked directly (not through the gateway, so that nothing is recorded as traffic)."""

    def __init__(self, model: Model, bench: Bench, first_wait_s: float = 0.5) -> None:
        super().__init__(model, bench.database, bench.settings, first_wait_s)
