"""Fireworks' datasets, supervised and preference jobs, as documented."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal, checked_rows

SUPERVISED, PREFERENCE = "supervisedFineTuningJobs", "dpoJobs"
SFT_BODY = {"displayName", "dataset", "evaluationDataset", "baseModel", "outputModel"}
SFT_BODY |= {"epochs", "learningRate", "loraRank", "maxContextLength", "batchSize", "jinjaTemplate", "earlyStop"}
DPO_BODY = {"displayName", "dataset", "trainingConfig", "lossConfig"}
ENDED = ("JOB_STATE_COMPLETED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class FireworksServer(HostedServer):
    """A dataset is ready at the second look; jobs wait until a test moves them."""

    knows_cancel = True

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> dict[str, Any]:
        path = asked.path.removeprefix("/v1/accounts/acme/")
        match asked.method, re.split(r"[/:]", path):
            case "POST", ["datasets"]:
                return self._record(asked.json())
            case "GET", ["datasets", name]:
                return self._dataset(name)
            case "POST", ["datasets", name, "upload"]:
                self._dataset(name)
                self.files[name] = asked.form()[1]["file"][1]
                self.datasets[name]["state"] = "VALIDATING"
                return {}
            case "GET", [("supervisedFineTuningJobs" | "dpoJobs") as kind]:
                return {kind: [job for name, job in self.jobs.items() if name.startswith(kind)]}
            case "POST", [("supervisedFineTuningJobs" | "dpoJobs") as kind]:
                return self._create(kind, asked.query.get(f"{kind[:-1]}Id", ""), asked.json())
            case "GET", [kind, name]:
                return self._job(f"{kind}/{name}")
            case "POST", [kind, name, "cancel"] if self.knows_cancel:
                self._job(f"{kind}/{name}")["state"] = "JOB_STATE_CANCELLED"
                return {}
            case "DELETE", [kind, name]:
                self._job(f"{kind}/{name}")
                del self.jobs[f"{kind}/{name}"]
                return {}
        return super().answer(asked)

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        return {"code": refusal.status, "message": refusal.message, "details": []}

    def finish(self, handle: str) -> None:
        self.jobs[handle]["state"] = "JOB_STATE_COMPLETED"

    def run(self, handle: str) -> None:
        self.jobs[handle] |= {"state": "JOB_STATE_RUNNING", "jobProgress": {"percent": 25}}

    def fail(self, handle: str, reason: str) -> None:
        self.jobs[handle] |= {"state": "JOB_STATE_FAILED", "status": {"code": "INVALID_ARGUMENT", "message": reason}}

    def _record(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["datasetId"]
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name) or name in self.datasets:
            raise Refusal(400, f"invalid dataset id {name}")
        if "userUploaded" not in body["dataset"]:
            raise Refusal(400, "a dataset needs a source")
        self.datasets[name] = {"name": f"accounts/acme/datasets/{name}", "state": "UPLOADING"} | body["dataset"]
        return self.datasets[name]

    def _dataset(self, name: str) -> dict[str, Any]:
        if name not in self.datasets:
            raise Refusal(404, f"dataset {name} not found")
        told = dict(self.datasets[name])
        if told["state"] == "VALIDATING":
            self.datasets[name]["state"] = "READY"
        return told

    def _create(self, kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if f"{kind}/{name}" in self.jobs:
            raise Refusal(409, f"job {name} already exists")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name):
            raise Refusal(400, f"invalid job id {name}")
        known, config = (SFT_BODY, body) if kind == SUPERVISED else (DPO_BODY, body.get("trainingConfig", {}))
        if strange := set(body) - known:
            raise Refusal(400, f"unknown field {min(strange)}")
        if not config["baseModel"].startswith("accounts/fireworks/models/"):
            raise Refusal(400, f"model {config['baseModel']} is not tunable")
        if kind == PREFERENCE and body["lossConfig"]["method"] not in ("DPO", "ORPO"):
            raise Refusal(400, "unknown loss method")
        dataset = body["dataset"].rpartition("/")[2]
        if self.datasets[dataset]["state"] != "READY":
            raise Refusal(400, "the dataset is not ready")
        checked_rows(self.files[dataset], kind == PREFERENCE)
        self.jobs[f"{kind}/{name}"] = body | {"state": "JOB_STATE_CREATING", "status": {"code": "OK", "message": ""}}
        return self.jobs[f"{kind}/{name}"]

    def _job(self, handle: str) -> dict[str, Any]:
        if handle not in self.jobs:
            raise Refusal(404, f"{handle} not found")
        return self.jobs[handle]
