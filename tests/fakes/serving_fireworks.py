"""Fireworks' models and deployments, as documented; files go to another origin that wants no key."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal

MODEL = {"kind", "description", "baseModelDetails"}
DETAILS = {"checkpointFormat", "worldSize", "huggingfaceFiles"}
DEPLOYMENT = {"baseModel", "displayName", "description", "minReplicaCount", "maxReplicaCount", "acceleratorType"}
DEPLOYMENT |= {"acceleratorCount", "autoscalingPolicy"}
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Bucket(HostedServer):
    """Takes files at signed addresses, and refuses whoever shows a key."""

    def may(self, asked: Asked) -> bool:
        size = len(asked.body)
        ranged = asked.headers.get("x-goog-content-length-range") == f"{size},{size}"
        signed = asked.query.get("X-Goog-Signature") == "yes"
        return "authorization" not in asked.headers and ranged and signed

    def answer(self, asked: Asked) -> dict[str, Any]:
        self.files[asked.path.lstrip("/")] = asked.body
        return {}


class FireworksModels(HostedServer):
    """One account, acme. A model is ready at the second validation; deployments move when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.models: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.landing = 1

    def close(self) -> None:
        self.bucket.close()
        super().close()

    def answer(self, asked: Asked) -> dict[str, Any]:
        path = asked.path.removeprefix("/v1/accounts/acme/")
        match asked.method, re.split(r"[/:]", path):
            case "POST", ["models"]:
                return self._model(asked.json())
            case "GET", ["models", name]:
                return self._known(self.models, name)
            case "POST", ["models", name, "getUploadEndpoint"]:
                self._known(self.models, name)
                names = asked.json()["filenameToSize"]
                signed = {each: f"{self.bucket.origin}/{name}/{each}?X-Goog-Signature=yes" for each in names}
                return {"filenameToSignedUrls": signed}
            case "GET", ["models", name, "validateUpload"]:
                return self._validated(name)
            case "GET", ["deployments"]:
                return {"deployments": list(self.deployments.values())}
            case "POST", ["deployments"]:
                return self._deployment(asked.query["deploymentId"], asked.json())
            case "GET", ["deployments", name]:
                return self._known(self.deployments, name)
            case "DELETE", ["deployments", name]:
                if asked.query.get("ignoreChecks") != "true":
                    raise Refusal(400, "the deployment is in use")
                self._known(self.deployments, name)["state"] = "DELETED"
                return {}
            case "POST", ["deployments", name, "undelete"]:
                self._known(self.deployments, name)["state"] = "CREATING"
                return self.deployments[name]
            case "PATCH", ["deployments", name, "scale"]:
                self._known(self.deployments, name)["replicaCount"] = asked.json()["replicaCount"]
                return {}
        return super().answer(asked)

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        return {"code": refusal.status, "message": refusal.message, "details": []}

    def move(self, handle: str, state: str, message: str = "") -> None:
        self.deployments[handle.rpartition("/")[2]] |= {"state": state, "status": {"code": "OK", "message": message}}

    def _known(self, rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name not in rows:
            raise Refusal(404, f"{name} not found")
        return rows[name]

    def _model(self, body: dict[str, Any]) -> dict[str, Any]:
        name, model = body["modelId"], body["model"]
        if name in self.models:
            raise Refusal(409, f"ALREADY_EXISTS: model {name}")
        if not NAME.fullmatch(name) or set(body) != {"modelId", "model"}:
            raise Refusal(400, "invalid model")
        if set(model) != MODEL or set(model["baseModelDetails"]) != DETAILS or model["kind"] != "HF_BASE_MODEL":
            raise Refusal(400, "invalid model")
        self.models[name] = {"name": f"accounts/acme/models/{name}", "state": "UPLOADING"} | model
        return self.models[name]

    def _validated(self, name: str) -> dict[str, Any]:
        wanted = {f"{name}/{each}" for each in self._known(self.models, name)["baseModelDetails"]["huggingfaceFiles"]}
        if self.landing or wanted - set(self.bucket.files):
            self.landing = max(0, self.landing - 1)
            raise Refusal(400, "FAILED_PRECONDITION: files are still landing")
        self.models[name]["state"] = "READY"
        return {"warnings": []}

    def _deployment(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name in self.deployments:
            raise Refusal(409, f"ALREADY_EXISTS: deployment {name}")
        if not NAME.fullmatch(name) or set(body) - DEPLOYMENT:
            raise Refusal(400, "invalid deployment")
        self.created.append(body)
        made = {"name": f"accounts/acme/deployments/{name}", "state": "CREATING", "replicaCount": 1}
        self.deployments[name] = made | body
        return self.deployments[name]
