"""Fireworks: a model object, signed uploads, validation, a deployment (docs.fireworks.ai, upload via REST API)."""

from __future__ import annotations

import json
from typing import Any

from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.words import openai_client, readme, script

KEY = "FIREWORKS_API_KEY"
INFERENCE = "https://api.fireworks.ai/inference/v1"
LARGEST_RANK, LEAST_RANK = 64, 4


class Fireworks:
    """firectl does the four steps of an upload in one command."""

    name, label = "fireworks", "Fireworks"
    forms: tuple[str, ...] = ("merged", "adapter")
    options: dict[str, str] = {
        "account": "The account's id (`firectl whoami`).",
        "accelerator": "NVIDIA_A100_80GB, NVIDIA_H100_80GB, NVIDIA_H200_141GB or AMD_MI300X_192GB.",
        "base": "For an adapter: Fireworks' name of the base, such as accounts/fireworks/models/qwen3-8b.",
    }

    def check(self, served: Served) -> list[str]:
        """Adapters outside of the ranks it takes."""
        if served.is_adapter and not LEAST_RANK <= served.rank <= LARGEST_RANK:
            return [f"Fireworks takes adapters of rank {LEAST_RANK} to {LARGEST_RANK}, this one has {served.rank}."]
        return []

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """Upload and deployment scripts, the deployment's request, client, README."""
        account, model = str(options.get("account") or "ACCOUNT"), _id(served.name)
        name = f"accounts/{account}/models/{model}"
        asked = f"{name}#accounts/{account}/deployments/{model}"
        return {
            "README.md": readme(served, self.label, self._steps(), self._mind()),
            "1-upload.sh": script(_upload(served, model, options)),
            "deployment.json": json.dumps(self._deployment(served, name, options), indent=2) + "\n",
            "2-deploy.sh": script(*_deploy(account, model)),
            "client.py": openai_client(asked, INFERENCE, KEY),
        }

    def _deployment(self, served: Served, name: str, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "displayName": served.name[:60],
            "baseModel": name,
            "minReplicaCount": 0,
            "maxReplicaCount": 1,
            "acceleratorCount": 1,
            "acceleratorType": str(options.get("accelerator") or "NVIDIA_H100_80GB"),
        }

    def _steps(self) -> list[str]:
        return [
            "Install firectl by Fireworks' instructions and sign in: `firectl signin`.",
            "`bash 1-upload.sh` sends the weights and has them validated.",
            f"Set `{KEY}`, then `bash 2-deploy.sh`. THIS COSTS MONEY for every GPU hour while a replica runs; with "
            "minReplicaCount 0 it goes to none when nobody asks.",
            "Ask it: `python client.py` (needs `pip install openai`).",
        ]

    def _mind(self) -> list[str]:
        return [
            "An adapter is merged into its base by Fireworks when the deployment starts (live merge).",
            "Replace ACCOUNT in the files if it was not chosen.",
            "Fireworks takes no quantization_config in config.json; the portable form has none.",
        ]


def _upload(served: Served, model: str, options: dict[str, Any]) -> list[str]:
    folder = "adapter" if served.is_adapter else "model"
    words = ["firectl", "model", "create", model, folder]
    base = str(options.get("base") or served.base or "BASE_MODEL")
    return [*words, "--base-model", base] if served.is_adapter else words


def _deploy(account: str, model: str) -> tuple[str, str]:
    url = f"https://api.fireworks.ai/v1/accounts/{account}/deployments?deploymentId={model}"
    send = f'curl --fail-with-body -sS -X POST "{url}" -H "Authorization: Bearer ${KEY}"'
    return (
        f': "${{{KEY}:?make a key at fireworks.ai}}"',
        f'{send} -H "Content-Type: application/json" --data @deployment.json',
    )


def _id(name: str) -> str:
    """Lower-case letters, digits and dashes."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return kept.strip("-") or "model"
