"""A model at Together, which fetches the weights itself (docs.together.ai, "Upload a custom model or adapter").

POST /v1/models names the source, and its job is looked at until it is complete. Only tested against that
documentation: a real account was never asked.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from studio.deploy.publish import company
from studio.deploy.publish.company import company_api, mark, pause, readable
from studio.deploy.publish.destinations import Source
from studio.deploy.publish.port import Published, Report
from studio.errors import Conflict, InvalidInput, Unavailable
from studio.train.hosted.http import Lost

HOME = "https://api.together.ai"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
READY_WITHIN_S = 4 * 3600.0


class TogetherDestination:
    """Repeatable: a job for these very weights is taken up instead of starting another."""

    def __init__(self, name: str, key: str, digest: str, source: Source, url: str = "") -> None:
        if not NAME.fullmatch(name):
            raise InvalidInput("A model at Together is written as together:model: letters, digits, dots and dashes.")
        if source.address and not (source.address.startswith("https://") or REPOSITORY.fullmatch(source.address)):
            raise InvalidInput("Together fetches from organisation/name on the Hub, or from a signed https address.")
        self.name, self.digest, self.source = name, digest, source
        self.api = company_api("Together", url or HOME, key)
        self.api.secrets += tuple(each for each in (source.token, _signed(source.address)) if each)

    def put(self, files: dict[str, Path], report: Report) -> Published:
        """Ask Together to fetch them, then wait until it has. The files themselves stay here."""
        if not self.source.address:
            raise InvalidInput(
                "Together fetches the weights itself. Publish the model to hub:organisation/name first, or give the "
                "signed https address of an archive as the source."
            )
        with readable("Together"):
            report(0.0, f"Asking Together to fetch {self.name}")
            job, full_name = self._job()
            self._complete(job, report)
            return Published(
                f"together:{self.name}", self.digest[:16], company="together", model=full_name or self._listed()
            )

    def _job(self) -> tuple[str, str]:
        """The job that fetches, and the model's full name where Together told it."""
        if found := self._found():
            return str(found["job_id"]), ""
        body = {"model_name": self.name, "model_source": self.source.address, "model_type": "model"}
        body["description"] = mark(self.digest)
        if self.source.token and not self.source.address.startswith("https://"):
            body["hf_token"] = self.source.token  # Together reads a private repository with it
        try:
            said = self.api.post("/v1/models", json=body)["data"]
        except Lost:
            if found := self._found():
                return str(found["job_id"]), ""
            raise
        return str(said["job_id"]), str(said["model_name"])

    def _found(self) -> dict[str, Any] | None:
        """The newest job under this name that has not failed. Raises Conflict if it fetched other weights."""
        jobs = self.api.get("/v1/jobs")["data"]
        named = [job for job in jobs if _last(job["args"].get("modelName")) == self.name and job["status"] != "Failed"]
        newest = max(named, key=lambda job: str(job["created_at"]), default=None)
        if newest and newest["args"].get("description") != mark(self.digest):
            raise Conflict(f"Together has a model {self.name} with other weights. Choose another name.")
        return newest

    def _complete(self, job: str, report: Report) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while (found := self.api.get(f"/v1/jobs/{job}"))["status"] != "Complete":
            if found["status"] == "Failed":
                raise Conflict(f"Together could not take {self.name}: {_why(found)}.")
            if time.monotonic() > until:
                raise Unavailable(f"Together is still at it after {READY_WITHIN_S / 3600:g} h. Retry to wait on.")
            pause(report, 0.5, f"Together fetches {self.name} ({found['status'].lower()})", company.LOOK_EVERY_S)

    def _listed(self) -> str:
        """Its full name among the models that can be deployed; the name we gave if it is not in that list."""
        listed = self.api.get("/v1/models", {"dedicated": "true"})["data"]
        return next((str(each["id"]) for each in listed if _last(each["id"]) == self.name), self.name)


def _last(name: object) -> str:
    return str(name or "").rpartition("/")[2]


def _why(job: dict[str, Any]) -> str:
    updates = job.get("status_updates") or []
    return str(updates[-1]["message"] if updates else "it does not say why").strip(". ")


def _signed(address: str) -> str:
    """What proves the right to fetch, in a signed address."""
    return address.partition("?")[2]
