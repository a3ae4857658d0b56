"""Hugging Face's Inference Endpoints API as its client documents it: endpoints whose states a test moves on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.hosted_server import Asked, HostedServer, Refusal

TOKEN = "hf_fake0123456789"
NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")
TYPES = ("public", "authenticated", "private")
HARDWARE = {
    ("nvidia-l4", "x1"): {"pricePerHour": 0.8, "status": "available"},
    ("nvidia-a10g", "x1"): {"pricePerHour": 1.0, "status": "available"},
    ("nvidia-t4", "x1"): {"pricePerHour": 0.5, "status": "deprecated"},
}
MESSAGES = {
    "pending": "Endpoint waiting to be scheduled",
    "initializing": "Endpoint is initializing",
    "running": "Endpoint is ready",
    "failed": "Endpoint failed to start. Scheduling failure: unable to schedule",
    "paused": "Endpoint is paused",
    "scaledToZero": "Endpoint scaled to zero",
    "updating": "Endpoint is updating",
    "updateFailed": "Update failed: not enough quota",
}


class FakeEndpointsApi(HostedServer):
    """One account. `serves`: the address that an endpoint gets once it runs."""

    key = TOKEN

    def __init__(self, serves: str = "https://abc.us-east-1.aws.endpoints.huggingface.cloud") -> None:
        self.serves = serves
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        super().__init__()

    def move(self, name: str, state: str) -> None:
        """What happens over there by itself."""
        found = self.endpoints[name]["status"]
        found.update(state=state, message=MESSAGES[state])
        if state in ("running", "scaledToZero"):
            found["url"] = self.serves
        else:
            found.pop("url", None)

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        return {"error": refusal.message}

    def answer(self, asked: Asked) -> dict[str, Any]:
        if asked.path == "/api/whoami-v2":
            return {"type": "user", "name": "acme", "orgs": []}
        if asked.path == "/v2/provider/acme":
            return self._hardware()
        parts = asked.path.strip("/").split("/")
        if parts[:3] != ["v2", "endpoint", "acme"]:
            raise Refusal(404, "Not found")
        if len(parts) == 3:
            return self._create(asked.json()) if asked.method == "POST" else {"items": list(self.endpoints.values())}
        return self._one(asked, parts[3], parts[4] if len(parts) > 4 else "")

    def _one(self, asked: Asked, name: str, verb: str) -> dict[str, Any]:
        if name not in self.endpoints:
            raise Refusal(404, f"Endpoint {name} not found")
        found = self.endpoints[name]
        if asked.method == "DELETE":
            del self.endpoints[name]
        elif asked.method == "PUT":
            self._update(found, asked.json())
        elif verb == "pause":
            self.move(name, "paused")
        elif verb == "scale-to-zero":
            self.move(name, "scaledToZero")
        elif verb == "resume":
            if found["status"]["state"] == "running":
                raise Refusal(400, "Endpoint is already running")
            self.move(name, "pending")
        return found

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        compute = body["compute"]
        if not NAME.match(body["name"]):
            raise Refusal(400, f"Invalid endpoint name: {body['name']}")
        if body["name"] in self.endpoints:
            raise Refusal(409, f"Endpoint {body['name']} already exists")
        if (compute["instanceType"], compute["instanceSize"]) not in HARDWARE:
            raise Refusal(400, f"Instance {compute['instanceType']} {compute['instanceSize']} does not exist")
        if body["type"] not in TYPES or set(body["model"]["image"]) != {"custom"}:
            raise Refusal(400, "Invalid endpoint")
        about = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
        status = {**about, "createdBy": {"id": "1", "name": "acme"}, "readyReplica": 0, "targetReplica": 1}
        model = {"task": "custom", **body["model"]}
        self.endpoints[body["name"]] = {**body, "model": model, "healthRoute": "/health", "status": status}
        self.move(body["name"], "pending")
        return self.endpoints[body["name"]]

    def _update(self, found: dict[str, Any], body: dict[str, Any]) -> None:
        self.asked.append(body)
        for part in ("compute", "model"):
            found[part] = {**found[part], **{name: value for name, value in body.get(part, {}).items() if value}}
        if found["status"]["state"] == "running":
            self.move(found["name"], "updating")

    def _hardware(self) -> dict[str, Any]:
        computes = [
            {
                "id": f"aws-us-east-1-{kind}-{size}",
                "accelerator": "gpu",
                "instanceType": kind,
                "instanceSize": size,
                "architecture": kind,
                "numAccelerators": 1,
                "numCpus": 8,
                "memoryGb": 30,
                "gpuMemoryGb": 24,
                "quota": {"maxAccelerators": 4, "usedAccelerators": 0},
                **price,
            }
            for (kind, size), price in HARDWARE.items()
        ]
        return {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]}


def asked_by_the_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpointsApi]:
    """The client has no setting for the address of this API, so its constant is another one for the test."""
    from huggingface_hub import constants

    server = FakeEndpointsApi()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.origin)
    monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", f"{server.origin}/v2")
    yield server
    server.close()
