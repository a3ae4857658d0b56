"""Fireworks: a dataset record, its upload, then a supervised or preference job under ids of our own choice."""

from __future__ import annotations

import re
import time
from typing import Any

from studio.errors import Conflict, InvalidInput, NotFound, Unavailable
from studio.train.hosted.company import Company, Lost
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, Price, State
from studio.train.hosted.prices import by_size, by_the_token, epochs_of
from studio.train.hosted.rows import Upload

STATES: dict[str, State] = {
    "JOB_STATE_CREATING": "queued",
    "JOB_STATE_PENDING": "queued",
    "JOB_STATE_VALIDATING": "queued",
    "JOB_STATE_CREATING_INPUT_DATASET": "queued",
    "JOB_STATE_RE_QUEUEING": "queued",
    "JOB_STATE_RUNNING": "running",
    "JOB_STATE_WRITING_RESULTS": "running",
    "JOB_STATE_CANCELLING": "running",
    "JOB_STATE_COMPLETED": "succeeded",
    "JOB_STATE_EARLY_STOPPED": "succeeded",
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_EXPIRED": "failed",
    "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_DELETING": "cancelled",
}
TIERS = ((16, 0.5), (80, 3.0), (300, 6.0), (10_000, 10.0))
"""(billions of parameters at most, USD per million tokens for SFT); pairs cost twice as much."""
LARGEST_UPLOAD = 150 << 20
READY_WITHIN_S, LOOK_EVERY_S = 600.0, 2.0
SERVED_AT = "https://api.fireworks.ai/inference/v1"


class Fireworks(Company):
    """Fine-tuning at Fireworks; `account` in the place's options."""

    kind, label, home = "fireworks", "Fireworks", "https://api.fireworks.ai"
    methods: tuple[str, ...] = ("sft", "distil", "dpo", "orpo")
    least_rows = 3

    def check(self) -> str:
        """One sentence about the account."""
        self.api.get(f"{self._account}/supervisedFineTuningJobs", {"pageSize": 1})
        return f"Fireworks accepts the key for the account {self.options['account']}."

    def price(self, spec: HostedSpec) -> Price | None:
        """Tokens times epochs times a rough price for models of this size."""
        model = self.model_of(spec)
        tier = by_size(model, TIERS)
        listed = [(model, tier * (1 if _is_supervised(spec) else 2))] if tier else []
        return by_the_token(spec, self.uploads(spec)[0], model, listed, self.options)

    def start(self, spec: HostedSpec) -> str:
        """Upload and start; all ids are ours, so what is there already is taken up."""
        train, held_out = self.uploads(spec)
        jobs = f"{self._account}/{_collection(spec)}"
        for number in range(1, 10):
            job_id = f"whetstone-{spec.run_id}-{number}"
            state = self._state(f"{jobs}/{job_id}")
            if state is None:
                return self._begun(spec, job_id, train, held_out)
            if state not in ("failed", "cancelled"):
                return f"{_collection(spec)}/{job_id}"
        raise Conflict("Fireworks has tried this run nine times. Delete its failed jobs there, or clone the run.")

    def status(self, handle: str) -> HostedStatus:
        """How far the job is; a job that was deleted counts as cancelled."""
        try:
            job = self.api.get(f"{self._account}/{handle}")
        except NotFound:
            return HostedStatus("cancelled", None, "The job is no longer at Fireworks.")
        percent = (job.get("jobProgress") or {}).get("percent")
        reason = str((job.get("status") or {}).get("message") or "")
        progress = None if percent is None else min(1.0, percent / 100)
        return HostedStatus(STATES.get(str(job["state"]), "unknown"), progress, reason)

    def cancel(self, handle: str) -> None:
        """Stop the job; where Fireworks knows no cancel for its kind, delete it."""
        if self.status(handle).ended:
            return
        try:
            self.api.post(f"{self._account}/{handle}:cancel", json={})
        except (NotFound, InvalidInput, Lost):
            self.api.send("DELETE", f"{self._account}/{handle}")

    def result(self, handle: str) -> HostedResult:
        """The model's full name there; a LoRA of your own needs a deployment before it answers."""
        job = self.api.get(f"{self._account}/{handle}")
        if STATES.get(str(job["state"])) != "succeeded":
            raise Conflict(f"The job at Fireworks is {job['state']}; there is no model yet.")
        model = str(job.get("outputModel") or (job.get("trainingConfig") or {}).get("outputModel"))
        note = "Deploy the model at Fireworks before you send calls to it: tuned models need a deployment of their own."
        served = SERVED_AT if self.api.url == self.home else f"{self.api.url}/inference/v1"
        return HostedResult(model, served, note, {"job": handle})

    @property
    def _account(self) -> str:
        account = self.option("account", "the account's id (`firectl whoami`)")
        if not re.fullmatch(r"[A-Za-z0-9-]+", account):
            raise InvalidInput("The account of a place at Fireworks is letters, digits and dashes, without accounts/.")
        return f"/v1/accounts/{account}"

    def _begun(self, spec: HostedSpec, job_id: str, train: Upload, held_out: Upload | None) -> str:
        collection = _collection(spec)
        body = self._body(spec, job_id, self._dataset(train), self._dataset(held_out) if held_out else "")
        query = {f"{collection[:-1]}Id": job_id}
        try:
            self.api.post(f"{self._account}/{collection}", params=query, json=body)
        except (Lost, Conflict):
            if self._state(f"{self._account}/{collection}/{job_id}") is None:
                raise
        return f"{collection}/{job_id}"

    def _body(self, spec: HostedSpec, job_id: str, dataset: str, held_out: str) -> dict[str, Any]:
        account = self._account.removeprefix("/v1/")
        config = {
            "baseModel": self.model_of(spec),
            "outputModel": f"{account}/models/{job_id}",
            "epochs": epochs_of(spec),
            "loraRank": int(spec.recipe.get("lora_r", 16)),
        }
        if "learning_rate" in spec.recipe:
            config["learningRate"] = float(spec.recipe["learning_rate"])
        body = {"displayName": spec.name[:60], "dataset": dataset}
        if _is_supervised(spec):
            return body | config | ({"evaluationDataset": held_out} if held_out else {})
        loss = {"method": spec.method.upper(), "klBeta": float(spec.recipe.get("beta", 0.1))}
        return body | {"trainingConfig": config, "lossConfig": loss}

    def _dataset(self, upload: Upload) -> str:
        """A record under the file's own name, uploaded once, ready to train on."""
        if upload.path.stat().st_size > LARGEST_UPLOAD:
            raise InvalidInput("Fireworks takes files up to 150 MB here. Freeze a version with fewer or shorter rows.")
        path = f"{self._account}/datasets/{upload.name.removesuffix('.jsonl')}"
        if self._dataset_state(path) is None:
            told: dict[str, Any] = {"exampleCount": str(upload.rows), "userUploaded": {}}
            record = {"datasetId": path.rpartition("/")[2], "dataset": told}
            self.api.post(f"{self._account}/datasets", json=record)
        if self._dataset_state(path) != "READY":
            with upload.path.open("rb") as stream:
                self.api.post(f"{path}:upload", files={"file": (upload.name, stream, "application/jsonl")})
        self._wait_until_ready(path)
        return path.removeprefix("/v1/")

    def _wait_until_ready(self, path: str) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while self._dataset_state(path) != "READY":
            if time.monotonic() > until:
                raise Unavailable("Fireworks did not finish reading the uploaded rows. Try again in a few minutes.")
            self.api.sleep(LOOK_EVERY_S)

    def _dataset_state(self, path: str) -> str | None:
        try:
            return str(self.api.get(path).get("state", "UPLOADING"))
        except NotFound:
            return None

    def _state(self, path: str) -> State | None:
        try:
            return STATES.get(str(self.api.get(path)["state"]), "unknown")
        except NotFound:
            return None


def _is_supervised(spec: HostedSpec) -> bool:
    return spec.method in ("sft", "distil")


def _collection(spec: HostedSpec) -> str:
    return "supervisedFineTuningJobs" if _is_supervised(spec) else "dpoJobs"
