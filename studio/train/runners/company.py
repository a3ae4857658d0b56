"""A hosted trainer behind the Runner port: nothing of ours runs there, so there is no log and no adapter to fetch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from storage.artifacts import write_atomically
from studio.errors import InvalidInput, Unavailable
from studio.train.hosted.port import HostedSpec, HostedTrainer
from studio.train.runners.port import SUMMARY, RunSpec, RunState, handle_of


class CompanyRunner:
    """Upload, start, ask, cancel; what comes home is the name of a model that answers there."""

    in_place = False

    def __init__(self, trainer: HostedTrainer, spec: HostedSpec, confirmed: bool) -> None:
        self.trainer, self.spec, self.confirmed = trainer, spec, confirmed

    def submit(self, spec: RunSpec, attempt: int) -> str:
        """Start it, or find the run that was started; never before somebody confirmed what it costs."""
        if not self.confirmed:
            price = self.trainer.price(self.spec)
            cost = (
                f"about ${price.usd:.2f}: {price.sentence}" if price else f"{self.trainer.label} does not say how much."
            )
            raise InvalidInput(f"This place costs money, {cost} Confirm that under Settings, Compute, first.")
        return self.trainer.start(replace(self.spec, run_id=handle_of(spec.run_id, attempt)))

    def status(self, handle: str) -> RunState:
        """Where it is at the company's."""
        try:
            found = self.trainer.status(handle)
        except Unavailable as error:
            return RunState("unknown", reason=error.message)
        return RunState(found.state, reason=found.reason, progress=found.progress, wait_s=found.wait_s)

    def logs(self, handle: str, offset: int) -> tuple[bytes, int]:
        """Companies show no log."""
        return b"", offset

    def cancel(self, handle: str, grace_s: float) -> None:
        """Stop it."""
        self.trainer.cancel(handle)

    def collect(self, handle: str, folder: Path) -> None:
        """The summary with the tuned model's name and where it answers."""
        found = {
            "device": self.trainer.label,
            "hosted": asdict(self.trainer.result(handle)) | {"kind": self.trainer.kind},
        }
        write_atomically(folder / SUMMARY, json.dumps(found).encode())

    def forget(self, handle: str) -> None:
        """Files at the company belong to the account; its owner deletes them."""

    def list_mine(self) -> Iterable[str]:
        """Not asked of companies."""
        return []
