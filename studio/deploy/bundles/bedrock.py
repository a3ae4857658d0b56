"""Bedrock Custom Model Import: weights in S3, an import job, then calls by the model's ARN (docs.aws.amazon.com)."""

from __future__ import annotations

import json
from typing import Any

from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.words import readme, script

IMPORT = ("aws", "bedrock", "create-model-import-job")
ARCHITECTURES = "llama mistral mixtral qwen2 qwen3 t5 gpt_bigcode gpt_oss"
"""Model types of the families that its user guide names: Llama, Mistral, Mixtral, Qwen, Flan, GPTBigCode, GPT-OSS."""


class Bedrock:
    """Merged weights only; AWS bills by copies of the model that are awake."""

    name, label = "bedrock", "Amazon Bedrock"
    forms: tuple[str, ...] = ("merged",)
    options: dict[str, str] = {
        "bucket": "S3 address of a folder, such as s3://my-bucket/models.",
        "role": "ARN of a role that lets Bedrock read that bucket.",
        "region": "An AWS region that has Custom Model Import, such as us-east-1.",
    }

    def check(self, served: Served) -> list[str]:
        """Architectures that Bedrock does not import."""
        if served.model_type in ARCHITECTURES.split():
            return []
        return [f"Bedrock does not import the architecture {served.model_type or 'of this model'}. Serve it on vLLM."]

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """The import job, the script that sends it, client, README."""
        region = str(options.get("region") or "us-east-1")
        where = f"{str(options.get('bucket') or 's3://BUCKET/models').rstrip('/')}/{served.name}/"
        return {
            "README.md": readme(served, self.label, self._steps(), self._mind(), provable=False),
            "import-job.json": json.dumps(self._job(served, where, options), indent=2) + "\n",
            "1-import.sh": script(
                ["aws", "s3", "sync", "model", where, "--region", region],
                [*IMPORT, "--cli-input-json", "file://import-job.json", "--region", region],
            ),
            "client.py": _client(region),
        }

    def _job(self, served: Served, where: str, options: dict[str, Any]) -> dict[str, Any]:
        name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in served.name)[:60]
        return {
            "jobName": f"{name}-import",
            "importedModelName": name,
            "roleArn": str(options.get("role") or "arn:aws:iam::123456789012:role/ROLE_THAT_READS_THE_BUCKET"),
            "modelDataSource": {"s3DataSource": {"s3Uri": where}},
        }

    def _steps(self) -> list[str]:
        return [
            "Sign in with the AWS command line. Write your bucket and role into import-job.json and 1-import.sh.",
            "`bash 1-import.sh`, then wait: `aws bedrock list-model-import-jobs` tells when it is Completed.",
            "Ask it: `MODEL_ARN=... python client.py` with the imported model's ARN (needs `pip install boto3`).",
        ]

    def _mind(self) -> list[str]:
        return [
            "AWS bills for every copy of the model that is awake; it sleeps when nobody asks, and the first call after "
            "that waits (ModelNotReadyException) until it is awake again.",
            "The studio's gateway speaks OpenAI's form. Bedrock is asked in its own form: put a translating proxy "
            "between them, or let your program call Bedrock itself.",
        ]


def _client(region: str) -> str:
    return f'''"""Ask the imported model one question."""

import json
import os

import boto3

client = boto3.client("bedrock-runtime", region_name="{region}")
body = {{"messages": [{{"role": "user", "content": "Hello"}}], "max_tokens": 64, "temperature": 0}}
reply = client.invoke_model(modelId=os.environ["MODEL_ARN"], body=json.dumps(body))
print(json.loads(reply["body"].read()))
'''
