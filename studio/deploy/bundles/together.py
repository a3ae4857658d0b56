"""Together: upload from the Hub or a signed S3 address, then a dedicated endpoint (docs.together.ai, API reference)."""

from __future__ import annotations

import json
from typing import Any

from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.words import openai_client, readme, script

API = "https://api.together.ai/v1"
KEY = "TOGETHER_API_KEY"
FEWEST_MINUTES = 100
"""How long a signed address must live, by Together's documentation."""


class Together:
    """Two calls: the model, and an endpoint of one's own on it."""

    name, label = "together", "Together"
    forms: tuple[str, ...] = ("merged", "adapter")
    options: dict[str, str] = {
        "source": "Where Together fetches the weights: a Hub repository's address, or a signed https address of the "
        "archive in S3.",
        "hardware": "Hardware id, as `together endpoints hardware --model MODEL` lists it.",
        "base": "For an adapter: Together's name of the base model.",
    }

    def check(self, served: Served) -> list[str]:
        """Together itself says which bases and architectures it takes."""
        return []

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """Two requests, the script that sends them, client, README."""
        return {
            "README.md": readme(served, self.label, self._steps(served), self._mind(served)),
            "upload.json": _json(self._upload(served, options)),
            "endpoint.json": _json(self._endpoint(served, options)),
            "1-upload.sh": _post("models", "upload.json"),
            "2-endpoint.sh": _post("endpoints", "endpoint.json"),
            "client.py": openai_client("NAME_OF_THE_ENDPOINT", API, KEY),
        }

    def _upload(self, served: Served, options: dict[str, Any]) -> dict[str, Any]:
        body = {"model_name": served.name, "model_source": str(options.get("source") or "https://PUT-THE-ADDRESS-HERE")}
        if not served.is_adapter:
            return {**body, "model_type": "model"}
        return {**body, "model_type": "adapter", "base_model": str(options.get("base") or served.base or "BASE_MODEL")}

    def _endpoint(self, served: Served, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": served.name,
            "hardware": str(options.get("hardware") or "1x_nvidia_h100_80gb_sxm"),
            "autoscaling": {"min_replicas": 1, "max_replicas": 1},
            "display_name": served.name,
            "inactive_timeout": 60,
        }

    def _steps(self, served: Served) -> list[str]:
        folder = "adapter" if served.is_adapter else "model"
        return [
            f"Put the weights where Together can fetch them. S3: `tar -czf weights.tar.gz -C {folder} .` (files at the "
            f"archive's root), upload it, and sign an address for at least {FEWEST_MINUTES} minutes. Or push the "
            "folder to the Hub.",
            "Write that address into upload.json, then `bash 1-upload.sh`. It answers with a job id and the model's "
            f'full name; `curl -H "Authorization: Bearer ${KEY}" {API}/jobs/JOB_ID` tells when it is complete.',
            "Write the full name and the hardware into endpoint.json, then `bash 2-endpoint.sh`. THIS COSTS MONEY for "
            "every minute that the endpoint runs; it stops by itself after 60 idle minutes (`inactive_timeout`).",
            "Write the endpoint's name from its answer into client.py, then `python client.py`.",
        ]

    def _mind(self, served: Served) -> list[str]:
        mind = ["Keys come from your shell's environment; none is written into these files."]
        return [*mind, "The base in upload.json must be the one the adapter was trained on."][: 1 + served.is_adapter]


def _post(path: str, file: str) -> str:
    command = f'curl --fail-with-body -sS -X POST {API}/{path} -H "Authorization: Bearer ${KEY}"'
    return script(
        f': "${{{KEY}:?make a key at api.together.ai}}"',
        f'{command} -H "Content-Type: application/json" --data @{file}',
    )


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2) + "\n"
