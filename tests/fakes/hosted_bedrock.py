"""Bedrock's customisation jobs and an S3 bucket, as documented; signatures are checked by a second implementation."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import quote

from tests.fakes.hosted_server import Asked, HostedServer, Refusal

ACCESS, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1"
BODY = {"jobName", "customModelName", "roleArn", "clientRequestToken", "baseModelIdentifier", "customizationType"}
BODY |= {"hyperParameters", "trainingDataConfig", "validationDataConfig", "outputDataConfig", "jobTags"}
ENDED = ("Completed", "Failed", "Stopped")


class BedrockServer(HostedServer):
    """Bedrock's control plane, and S3 under /bucket-of-acme."""

    key = f"{ACCESS}:{SECRET}"

    def may(self, asked: Asked) -> bool:
        service = "s3" if asked.path.startswith("/bucket-of-acme/") else "bedrock"
        return asked.headers.get("authorization") == expected(asked, service)

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        return {"message": refusal.message}

    def answer(self, asked: Asked) -> dict[str, Any]:
        match asked.method, asked.path.strip("/").split("/"):
            case "PUT", ["bucket-of-acme", name]:
                if hashlib.sha256(asked.body).hexdigest() != asked.headers["x-amz-content-sha256"]:
                    raise Refusal(400, "XAmzContentSHA256Mismatch")
                self.files[name] = asked.body
                return {}
            case "GET", ["model-customization-jobs"]:
                return {"modelCustomizationJobSummaries": list(self.jobs.values())}
            case "POST", ["model-customization-jobs"]:
                return self._create(asked.json())
            case "GET", ["model-customization-jobs", name]:
                return self._job(name)
            case "POST", ["model-customization-jobs", name, "stop"]:
                if self._job(name)["status"] in ENDED:
                    raise Refusal(400, "The job cannot be stopped in its present state")
                self.jobs[name]["status"] = "Stopped"
                return {}
        return super().answer(asked)

    def finish(self, handle: str) -> None:
        arn = f"arn:aws:bedrock:{REGION}:123456789012:custom-model/acme/abc"
        self.jobs[handle] |= {"status": "Completed", "outputModelArn": arn}

    def run(self, handle: str) -> None:
        self.jobs[handle]["status"] = "InProgress"

    def fail(self, handle: str, reason: str) -> None:
        self.jobs[handle] |= {"status": "Failed", "failureMessage": reason}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        if strange := set(body) - BODY:
            raise Refusal(400, f"unknown member {min(strange)}")
        name = body["jobName"]
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9+\-.])*", name) or len(name) > 63 or name in self.jobs:
            raise Refusal(400, f"invalid job name {name}")
        if not body["baseModelIdentifier"].startswith(("amazon.", "meta.", "anthropic.", "cohere.", "arn:")):
            raise Refusal(400, "The provided model identifier is invalid.")
        if any(not isinstance(value, str) for value in body["hyperParameters"].values()):
            raise Refusal(400, "hyperParameters are strings")
        check_conversations(self.files[body["trainingDataConfig"]["s3Uri"].removeprefix("s3://bucket-of-acme/")])
        arn = f"arn:aws:bedrock:{REGION}:123456789012:model-customization-job/{name}"
        self.jobs[name] = body | {"status": "InProgress", "jobArn": arn}
        return {"jobArn": arn}

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise Refusal(404, "Could not find the model customization job")
        return self.jobs[name]


def check_conversations(content: bytes) -> None:
    """Bedrock's own schema: blocks of text, user first, in turn, the assistant last."""
    for line in content.decode().splitlines():
        row = json.loads(line)
        roles = [message["role"] for message in row["messages"]]
        wanted = ["user", "assistant"] * (len(roles) // 2)
        if row["schemaVersion"] != "bedrock-conversation-2024" or roles != wanted:
            raise Refusal(400, "the conversation is not in turn")
        blocks = [*row.get("system", []), *(block for message in row["messages"] for block in message["content"])]
        if any(set(block) != {"text"} for block in blocks):
            raise Refusal(400, "a block is not text")


def expected(asked: Asked, service: str) -> str:
    """The Authorization header that AWS would compute for this request."""
    given = asked.headers.get("authorization", "")
    names = re.search(r"SignedHeaders=([^,]+)", given)
    signed = names.group(1).split(";") if names else []
    stamp = asked.headers.get("x-amz-date", "")
    path = quote(asked.path, safe="/-_.~")
    path = path if service == "s3" else quote(path, safe="/-_.~")
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(asked.query.items()))
    body = hashlib.sha256(asked.body).hexdigest()
    lines = [
        asked.method,
        path,
        query,
        *(f"{name}:{asked.headers.get(name, '')}" for name in signed),
        "",
        ";".join(signed),
    ]
    canonical = "\n".join([*lines, body])
    scope = f"{stamp[:8]}/{REGION}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + SECRET.encode()
    for part in (stamp[:8], REGION, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    head = f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={';'.join(signed)}"
    return f"{head}, Signature={signature}" if {"host", "x-amz-date"} <= set(signed) else "unsigned"
