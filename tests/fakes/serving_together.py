"""Together's model uploads, jobs, hardware and dedicated endpoints (v1), as documented."""

from __future__ import annotations

from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal

UPLOAD = {"model_name", "model_source", "model_type", "hf_token", "description", "base_model", "lora_model"}
ENDPOINT = {"model", "hardware", "autoscaling", "display_name", "inactive_timeout", "state", "availability_zone"}
HARDWARE = {"1x_nvidia_h100_80gb_sxm": 5.6, "1x_nvidia_a100_80gb_sxm": 4.25}
LISTED = ("object", "id", "name", "model", "type", "owner", "state", "created_at")
"""What the list tells of an endpoint; its display name is not among it."""


class TogetherModels(HostedServer):
    """One account, acme. Jobs are complete at the third look; endpoints move when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.looks: dict[str, int] = {}
        self.failing = ""

    def answer(self, asked: Asked) -> dict[str, Any]:
        match asked.method, asked.path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["models"]:
                return self._upload(asked.json())
            case "GET", ["models"]:
                return [{"id": f"acme/{job['args']['modelName']}", "object": "model"} for job in self.jobs.values()]  # type: ignore[return-value]
            case "GET", ["jobs"]:
                return {"data": list(self.jobs.values())}
            case "GET", ["jobs", name]:
                return self._job(name)
            case "GET", ["hardware"]:
                rows = [{"id": name, "pricing": {"cents_per_minute": cents}} for name, cents in HARDWARE.items()]
                return {"object": "list", "data": rows}
            case "GET", ["endpoints"]:
                rows = [{name: row[name] for name in LISTED} for row in self.endpoints.values()]
                return {"object": "list", "data": rows}
            case "POST", ["endpoints"]:
                return self._endpoint(asked.json())
            case "GET", ["endpoints", name]:
                return self._known(name)
            case "PATCH", ["endpoints", name]:
                wanted = asked.json()["state"]
                self._known(name)["state"] = "STARTING" if wanted == "STARTED" else "STOPPING"
                return self.endpoints[name]
            case "DELETE", ["endpoints", name]:
                self._known(name)
                del self.endpoints[name]
                return {}
        return super().answer(asked)

    def move(self, handle: str, state: str) -> None:
        self.endpoints[handle]["state"] = state

    def _known(self, name: str) -> dict[str, Any]:
        if name not in self.endpoints:
            raise Refusal(404, f"endpoint {name} not found")
        return self.endpoints[name]

    def _upload(self, body: dict[str, Any]) -> dict[str, Any]:
        if set(body) - UPLOAD or body["model_type"] not in ("model", "adapter"):
            raise Refusal(400, "invalid upload")
        self.asked.append(body)
        name, number = body["model_name"], len(self.jobs) + 1
        args = {"modelName": name, "modelSource": body["model_source"], "description": body["description"]}
        job = {"job_id": f"job-{number}", "type": "model_upload", "status": "Queued", "args": args}
        self.jobs[f"job-{number}"] = job | {"created_at": f"2026-11-0{number}", "status_updates": []}
        told = {"job_id": f"job-{number}", "model_name": f"acme/{name}", "model_id": f"model-{number}"}
        return {"data": told, "message": "Processing model weights. Job created."}

    def _job(self, name: str) -> dict[str, Any]:
        self.looks[name] = self.looks.get(name, 0) + 1
        if self.failing:
            update = {"status": "Failed", "message": self.failing, "timestamp": "2026-11-01"}
            self.jobs[name] |= {"status": "Failed", "status_updates": [update]}
        else:
            self.jobs[name]["status"] = ("Queued", "Running", "Complete")[min(self.looks[name] - 1, 2)]
        return self.jobs[name]

    def _endpoint(self, body: dict[str, Any]) -> dict[str, Any]:
        if set(body) - ENDPOINT or body["hardware"] not in HARDWARE or not body["autoscaling"]["min_replicas"]:
            raise Refusal(400, "invalid endpoint")
        self.asked.append(body)
        name = f"endpoint-{len(self.asked)}"
        fixed = {"object": "endpoint", "id": name, "name": f"acme/{body['model']}-a32b82a1", "type": "dedicated"}
        self.endpoints[name] = fixed | {"owner": "acme", "state": "PENDING", "created_at": "2026-11-01"} | body
        return self.endpoints[name]
