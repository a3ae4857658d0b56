"""Amazon Bedrock: rows to S3 by a signed PUT, then /model-customization-jobs under a name of our own choice."""

from __future__ import annotations

import hashlib
from typing import Any

from studio.errors import Conflict, InvalidInput, NotFound
from studio.train.hosted.company import Company, Lost, marker
from studio.train.hosted.http import Api, Signer
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, Price, State
from studio.train.hosted.prices import by_the_token, epochs_of
from studio.train.hosted.rows import Upload, bedrock_conversation
from studio.train.hosted.sigv4 import AwsSigner, Credentials

STATES: dict[str, State] = {
    "InProgress": "running",
    "Stopping": "running",
    "Completed": "succeeded",
    "Failed": "failed",
    "Stopped": "cancelled",
}
PRICES = (
    ("amazon.nova-micro", 1.0),
    ("amazon.nova-lite", 2.0),
    ("amazon.nova-pro", 8.0),
    ("amazon.titan-text-lite", 0.4),
    ("amazon.titan-text-express", 8.0),
    ("meta.llama3-1-8b", 1.49),
    ("meta.llama3-1-70b", 7.99),
)
JOBS = "/model-customization-jobs"


class Bedrock(Company):
    """Customisation at Bedrock; `region`, `bucket` and `role_arn` in the place's options, the key as ID:SECRET."""

    kind, label, home = "bedrock", "Amazon Bedrock", ""
    methods: tuple[str, ...] = ("sft", "distil")

    def __init__(self, url: str, key: str, options: dict[str, Any]) -> None:
        region = str(options.get("region") or "us-east-1")
        super().__init__(url or f"https://bedrock.{region}.amazonaws.com", key, options)
        bucket_at = str(options.get("s3_url") or f"https://s3.{region}.amazonaws.com")
        self.store = Api("Amazon S3", bucket_at, AwsSigner(self.credentials, region, "s3"), self._secrets(key))

    def check(self) -> str:
        """One sentence about the account."""
        self.api.get(JOBS, {"maxResults": 1})
        return "Amazon Bedrock accepts the key."

    def price(self, spec: HostedSpec) -> Price | None:
        """Tokens times epochs times a rough price; storage and serving of the model cost extra."""
        train, _held_out = self.uploads(spec, bedrock_conversation)
        return by_the_token(spec, train, self.model_of(spec), PRICES, self.options)

    def start(self, spec: HostedSpec) -> str:
        """Upload and start; the job's name is ours, so one that is there already is taken up."""
        train, held_out = self.uploads(spec, bedrock_conversation)
        for number in range(1, 10):
            name = f"{marker(spec)}-{number}"
            state = self._state(name)
            if state is None:
                return self._begun(spec, name, train, held_out)
            if state not in ("failed", "cancelled"):
                return name
        raise Conflict("Bedrock has tried this run nine times. Clone the run to try again.")

    def status(self, handle: str) -> HostedStatus:
        """How far the job is."""
        job = self.api.get(f"{JOBS}/{handle}")
        return HostedStatus(STATES.get(str(job["status"]), "unknown"), None, str(job.get("failureMessage") or ""))

    def cancel(self, handle: str) -> None:
        """Stop the job; one that ended is left alone."""
        if not self.status(handle).ended:
            self.api.post(f"{JOBS}/{handle}/stop")

    def result(self, handle: str) -> HostedResult:
        """The custom model's ARN; it answers once throughput or a deployment was bought for it in Bedrock."""
        job = self.api.get(f"{JOBS}/{handle}")
        if job["status"] != "Completed":
            raise Conflict(f"The job at Bedrock is {job['status']}; there is no model yet.")
        note = "Buy provisioned throughput or create an on-demand deployment for it in Bedrock before it answers."
        files = (job.get("outputDataConfig") or {}).get("s3Uri", "")
        return HostedResult(str(job["outputModelArn"]), "", note, {"job": job.get("jobArn", handle), "files": files})

    def _signer(self, key: str) -> Signer:
        access, secret, token, *_ = [*key.split(":", 2), "", "", ""]
        if not access or not secret:
            raise InvalidInput(
                "Amazon Bedrock wants an access key as ID:SECRET (AKIA…:…), or ID:SECRET:TOKEN for a temporary one. "
                "Enter it as the place's key."
            )
        self.credentials = Credentials(access, secret, token)
        return AwsSigner(self.credentials, str(self.options.get("region") or "us-east-1"), "bedrock")

    def _secrets(self, key: str) -> tuple[str, ...]:
        return (self.credentials.secret_key, self.credentials.token)

    def _begun(self, spec: HostedSpec, name: str, train: Upload, held_out: Upload | None) -> str:
        body = {
            "jobName": name,
            "customModelName": name,
            "roleArn": self.option("role_arn", "the role that may read the bucket"),
            "clientRequestToken": name,
            "baseModelIdentifier": self.model_of(spec),
            "customizationType": "FINE_TUNING",
            "hyperParameters": self._hyperparameters(spec),
            "trainingDataConfig": {"s3Uri": self._stored(train)},
            "outputDataConfig": {"s3Uri": f"s3://{self._bucket}/{marker(spec)}/output/"},
            "jobTags": [{"key": "whetstone_run", "value": spec.run_id}],
        }
        if held_out:
            body["validationDataConfig"] = {"validators": [{"s3Uri": self._stored(held_out)}]}
        try:
            self.api.post(JOBS, json=body)
        except Lost:
            if self._state(name) is None:
                raise
        return name

    def _hyperparameters(self, spec: HostedSpec) -> dict[str, str]:
        """Epochs are ours; what else a model takes differs from model to model and comes from the place's options."""
        own = self.options.get("hyperparameters") or {}
        return {"epochCount": str(epochs_of(spec)), **{str(name): str(value) for name, value in own.items()}}

    @property
    def _bucket(self) -> str:
        return self.option("bucket", "an S3 bucket for the rows")

    def _stored(self, upload: Upload) -> str:
        """Put the file into the bucket; the same file twice is the same object."""
        with upload.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            headers = {"x-amz-content-sha256": digest, "content-length": str(upload.path.stat().st_size)}
            self.store.send("PUT", f"/{self._bucket}/{upload.name}", content=stream, headers=headers)
        return f"s3://{self._bucket}/{upload.name}"

    def _state(self, name: str) -> State | None:
        try:
            return self.status(name).state
        except NotFound:
            return None
