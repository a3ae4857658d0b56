"""OpenAI: files, then /fine_tuning/jobs; the tuned model answers at the same address at once."""

from __future__ import annotations

from typing import Any

from studio.errors import Conflict
from studio.train.hosted.company import Company, Lost
from studio.train.hosted.files import file_id
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, Price, State
from studio.train.hosted.prices import by_the_token, epochs_of

STATES: dict[str, State] = {
    "validating_files": "queued",
    "queued": "queued",
    "running": "running",
    "paused": "queued",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}
PRICES = (
    ("gpt-4.1-2025", 25.0),
    ("gpt-4.1-mini", 5.0),
    ("gpt-4.1-nano", 1.5),
    ("gpt-4o-2024", 25.0),
    ("gpt-4o-mini", 3.0),
    ("gpt-3.5-turbo", 8.0),
)


class OpenAI(Company):
    """Fine-tuning at OpenAI, or at whoever speaks its API."""

    kind, label, home = "openai", "OpenAI", "https://api.openai.com/v1"
    methods: tuple[str, ...] = ("sft", "distil", "dpo")
    least_rows = 10

    def check(self) -> str:
        """One sentence about the account."""
        self.api.get("/fine_tuning/jobs", {"limit": 1})
        return "OpenAI accepts the key."

    def price(self, spec: HostedSpec) -> Price | None:
        """Tokens times epochs times a rough price."""
        return by_the_token(spec, self.uploads(spec)[0], self.model_of(spec), PRICES, self.options)

    def start(self, spec: HostedSpec) -> str:
        """Upload and start, or the job that carries our run's id already."""
        train, held_out = self.uploads(spec)
        if found := self._job_of(spec):
            return found
        body = {
            "model": self.model_of(spec),
            "training_file": file_id(self.api, train),
            "method": _method(spec),
            "suffix": spec.name[:64],
            "seed": int(spec.recipe.get("seed", 0)),
            "metadata": {"whetstone_run": spec.run_id},
        }
        if held_out:
            body["validation_file"] = file_id(self.api, held_out)
        try:
            return str(self.api.post("/fine_tuning/jobs", json=body)["id"])
        except Lost:
            if found := self._job_of(spec):
                return found
            raise

    def status(self, handle: str) -> HostedStatus:
        """How far the job is."""
        job = self.api.get(f"/fine_tuning/jobs/{handle}")
        reason = str((job.get("error") or {}).get("message") or "")
        return HostedStatus(STATES.get(job["status"], "unknown"), None, reason)

    def cancel(self, handle: str) -> None:
        """Stop the job; one that ended is left alone."""
        if not self.status(handle).ended:
            self.api.post(f"/fine_tuning/jobs/{handle}/cancel")

    def result(self, handle: str) -> HostedResult:
        """The name to ask for in chat completions."""
        job = self.api.get(f"/fine_tuning/jobs/{handle}")
        if job["status"] != "succeeded":
            raise Conflict(f"The job at OpenAI is {job['status']}; there is no model yet.")
        facts = {"job": handle, "trained_tokens": job.get("trained_tokens"), "files": job.get("result_files") or []}
        return HostedResult(str(job["fine_tuned_model"]), self.api.url, "", facts)

    def _job_of(self, spec: HostedSpec) -> str | None:
        """Our run's job, if it was started before; a job that failed or was cancelled does not count."""
        listed: list[dict[str, Any]] = self.api.get("/fine_tuning/jobs", {"limit": 100}).get("data") or []
        ours = (each for each in listed if (each.get("metadata") or {}).get("whetstone_run") == spec.run_id)
        alive = (each for each in ours if each["status"] not in ("failed", "cancelled"))
        return next((str(each["id"]) for each in alive), None)


def _method(spec: HostedSpec) -> dict[str, Any]:
    """Learning rate and batch are left to OpenAI, which counts them in multiples of its own; epochs are ours."""
    chosen: dict[str, Any] = {"n_epochs": epochs_of(spec)}
    if spec.method == "dpo":
        beta = float(spec.recipe.get("beta", 0.1))
        return {"type": "dpo", "dpo": {"hyperparameters": chosen | {"beta": beta}}}
    return {"type": "supervised", "supervised": {"hyperparameters": chosen}}
