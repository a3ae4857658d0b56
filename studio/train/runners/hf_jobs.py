"""Hugging Face Jobs: a container per run, files through a private repository of the account. It costs money."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studio.errors import Conflict, InvalidInput, Unavailable
from studio.train.runners import luggage
from studio.train.runners.port import RunSpec, RunState, State, handle_of

HUB = "https://huggingface.co"
IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
LIBRARIES = (
    *("torch", "transformers", "trl", "peft", "datasets", "accelerate", "safetensors", "tokenizers"),
    *("huggingface-hub", "fsspec", "sqlmodel", "pydantic", "pydantic-settings", "pyyaml", "jinja2", "jsonschema"),
)
STATES: dict[str, State] = {
    "SCHEDULING": "queued",
    "RUNNING": "running",
    "COMPLETED": "succeeded",
    "CANCELED": "cancelled",
    "ERROR": "failed",
    "DELETED": "lost",
}
LABEL, MINE = "whetstone", "whetstone-run"
BOOT = """
import os, runpy, sys, tempfile, zipfile
from huggingface_hub import hf_hub_download
repository, path, *rest = sys.argv[1:]
os.chdir(tempfile.mkdtemp())
with zipfile.ZipFile(hf_hub_download(repository, path, repo_type="dataset")) as packed:
    packed.extractall("work")
sys.argv = ["far_end.py", "--folder", "work/run", "--path", os.path.abspath("work/code"), *rest]
runpy.run_path("work/code/studio/train/runners/far_end.py", run_name="__main__")
"""


class HfJobsRunner:
    """Jobs of one account. A job gets a label with our own name for it, and is found by that."""

    in_place = False

    def __init__(self, url: str, token: str, options: dict[str, Any] | None = None) -> None:
        """Raises InvalidInput without a token."""
        from huggingface_hub import HfApi

        if not token:
            raise InvalidInput("Hugging Face Jobs need a token that may write. Enter one under Settings, Compute.")
        self.options, self.token = options or {}, token
        self.api = HfApi(endpoint=url or HUB, token=token)
        self._name = ""

    @property
    def namespace(self) -> str:
        """The account that pays."""
        self._name = self._name or str(self.options.get("namespace") or self.api.whoami()["name"])
        return self._name

    @property
    def repository(self) -> str:
        """The private repository that files travel through."""
        return f"{self.namespace}/{self.options.get('repository') or 'whetstone-runs'}"

    def check(self) -> str:
        """One sentence about the account and what an hour costs. Raises Unavailable."""
        with plain_errors():
            return f"Signed in as {self.namespace}. {self._price_sentence()}"

    def price_per_hour(self) -> float:
        """USD for an hour of the chosen hardware, as the Hub tells it."""
        flavor = self.flavor
        with plain_errors():
            found = next((each for each in self.api.list_jobs_hardware() if each.name == flavor), None)
        if found is None:
            raise InvalidInput(f"The Hub has no hardware {flavor!r}. Correct it under Settings, Compute.")
        return float(found.unit_cost_usd) * (60 if found.unit_label == "minute" else 1)

    @property
    def flavor(self) -> str:
        """The hardware."""
        return str(self.options.get("flavor") or "cpu-basic")

    def _price_sentence(self) -> str:
        return f"{self.flavor} costs ${self.price_per_hour():.2f} an hour."

    def submit(self, spec: RunSpec, attempt: int) -> str:
        """Look for a job with our label; send the files and start one only if there is none."""
        mine = handle_of(spec.run_id, attempt)
        with plain_errors():
            if found := self._labelled(mine):
                return found
            if not self.options.get("confirmed"):
                raise InvalidInput(
                    f"This place costs money: {self._price_sentence()} Confirm that under Settings, Compute, first."
                )
            self._send(spec, mine)
            return str(self.api.run_job(**self._job(spec, attempt, mine)).id)

    def _labelled(self, mine: str) -> str:
        jobs = self.api.list_jobs(labels={LABEL: mine}, namespace=self.namespace)
        return next((str(job.id) for job in jobs if (job.labels or {}).get(LABEL) == mine), "")

    def _send(self, spec: RunSpec, mine: str) -> None:
        self.api.create_repo(self.repository, repo_type="dataset", private=True, exist_ok=True)
        if not self.api.repo_info(self.repository, repo_type="dataset").private:
            raise InvalidInput(f"{self.repository} is public: rows would be seen by all. Make it private, then train.")
        package = luggage.packed(spec.folder, mine, without_base=bool(spec.base))
        self.api.upload_file(
            path_or_fileobj=package,
            path_in_repo=f"{mine}/inputs.zip",
            repo_id=self.repository,
            repo_type="dataset",
            commit_message=f"Inputs of {mine}",
        )

    def _job(self, spec: RunSpec, attempt: int, mine: str) -> dict[str, Any]:
        libraries = [part for name in LIBRARIES for part in ("--with", f"{name}=={version(name).partition('+')[0]}")]
        rest = ["--argv", json.dumps(spec.argv), "--attempt", str(attempt), "--base", spec.base]
        rest += ["--deliver", f"{self.repository}:{mine}/results.zip"]
        if spec.start_within_s:
            rest += ["--start-before", str(round(time.time() + spec.start_within_s))]
        boot = ["uv", "run", *libraries, "python", "-c", BOOT, self.repository, f"{mine}/inputs.zip"]
        hours = float(self.options.get("hours") or 8)
        return {
            "image": str(self.options.get("image") or IMAGE),
            "command": [*boot, *rest],
            "env": spec.env,
            "secrets": {"HF_TOKEN": self.token},
            "flavor": self.flavor,
            "timeout": round(spec.timeout_s or hours * 3600),
            "labels": {LABEL: mine, MINE: spec.run_id},
            "namespace": self.namespace,
        }

    def status(self, handle: str) -> RunState:
        """Where the job is."""
        try:
            with plain_errors():
                found = self.api.inspect_job(job_id=handle, namespace=self.namespace).status
        except Conflict:
            return RunState("lost", reason="The Hub does not know the job any more.")
        except Unavailable as error:
            return RunState("unknown", reason=error.message)
        state = STATES.get(str(getattr(found.stage, "value", found.stage)), "unknown")
        return RunState(state, 0 if state == "succeeded" else None, found.message or "")

    def logs(self, handle: str, offset: int) -> tuple[bytes, int]:
        """The log so far; the Hub counts lines, we count bytes."""
        with plain_errors():
            lines = list(self.api.fetch_job_logs(job_id=handle, namespace=self.namespace))
        whole = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines).encode()
        return whole[offset:], max(offset, len(whole))

    def cancel(self, handle: str, grace_s: float) -> None:
        """Stop the job; the Hub decides on the grace."""
        if not self.status(handle).ended:
            with plain_errors():
                self.api.cancel_job(job_id=handle, namespace=self.namespace)

    def collect(self, handle: str, folder: Path) -> None:
        """Download what the job uploaded."""
        with plain_errors():
            labels = self.api.inspect_job(job_id=handle, namespace=self.namespace).labels or {}
            found = self.api.hf_hub_download(
                self.repository, f"{labels[LABEL]}/results.zip", repo_type="dataset", local_dir=folder / "download"
            )
        luggage.unpack_results(Path(found).read_bytes(), folder)

    def forget(self, handle: str) -> None:
        """Delete the run's files from the repository."""
        with plain_errors():
            labels = self.api.inspect_job(job_id=handle, namespace=self.namespace).labels or {}
            self.api.delete_folder(labels[LABEL], self.repository, repo_type="dataset")

    def list_mine(self) -> Iterable[str]:
        """Jobs of the account that carry our label."""
        with plain_errors():
            jobs = list(self.api.list_jobs(namespace=self.namespace))
        return [str(job.id) for job in jobs if LABEL in (job.labels or {})]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in our words what the Hub and the network say in theirs."""
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except LocalEntryNotFoundError as error:  # a download that found no connection
        raise Unavailable("Hugging Face does not answer. It is asked again.") from error
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        if code in (401, 403):
            raise Unavailable(f"Hugging Face refused the token (HTTP {code}). It must be allowed to write.") from error
        if code == 402:
            raise InvalidInput("Hugging Face wants credit on the account before it runs jobs.") from error
        if code in (404, 410):
            raise Conflict("Hugging Face does not know this.") from error
        raise Unavailable(f"Hugging Face answered HTTP {code}. It is asked again.") from error
    except HTTPError as error:
        raise Unavailable(f"Hugging Face does not answer ({error}).") from error
