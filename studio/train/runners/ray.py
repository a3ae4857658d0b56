"""Ray through its Jobs REST API: no Ray is installed here. Tested against a real 2.60."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from studio.access.origins import is_loopback
from studio.errors import Conflict, InvalidInput, Unavailable
from studio.train.runners import luggage
from studio.train.runners.follow import results_in
from studio.train.runners.port import RunSpec, RunState, State, handle_of
from studio.train.runners.process import reason_of
from studio.train.runners.shared import LOG, SharedFolder

STATES: dict[str, State] = {
    "PENDING": "queued",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "STOPPED": "cancelled",
}
LARGEST_PACKAGE = 400 << 20
OLDEST_API = 4
MINE = "whetstone"
REFUSED = "status code 400"
"""In the body of Ray's HTTP 500 when the request itself was wrong; without it, the cluster is not ready."""


class RayRunner:
    """Submits, follows and stops jobs of one cluster."""

    in_place = False

    def __init__(self, url: str, token: str = "", options: dict[str, Any] | None = None) -> None:
        """Raises InvalidInput for an address off this machine without a token: its job API runs anybody's code."""
        if not token and not is_loopback(url):
            raise InvalidInput(
                "A Ray cluster on another machine needs a token: without one, whoever reaches it can run code on it. "
                "Start it with RAY_AUTH_MODE=token and enter that token under Settings, Compute."
            )
        self.url, self.options = url.rstrip("/"), options or {}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=30.0, follow_redirects=False)
        folder = self.options.get("folder")
        self.shared = SharedFolder(Path(folder)) if folder else None

    def check(self) -> str:
        """One sentence about the cluster. Raises Unavailable."""
        answer = self._ask("GET", "/api/version")
        _refuse(answer, self.url)
        try:
            found = answer.json()
            version, api = found["ray_version"], int(found["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self.url} answers, but not like Ray. Enter the address of its dashboard.") from error
        if api < OLDEST_API:
            raise Unavailable(f"Ray {version} at {self.url} is too old. Bring it to 2.9 or later.")
        return f"Ray {version} answers."

    def submit(self, spec: RunSpec, attempt: int) -> str:
        """Ask for the attempt by our name first; start it only if the cluster does not know it."""
        handle = handle_of(spec.run_id, attempt)
        if self._is_known(handle):
            return handle
        body = self._body(spec, attempt, handle)
        answer = self._ask("POST", "/api/jobs/", json=body)
        if answer.status_code == 200 or self._is_known(handle):
            return handle
        _refuse(answer, self.url)
        why = f"(HTTP {answer.status_code}): {_last_line(answer.text)}"
        if answer.status_code >= 500 and REFUSED not in answer.text:
            raise Unavailable(f"Ray is not ready to take the run {why}")
        raise InvalidInput(f"Ray refused the run {why}")

    def _is_known(self, handle: str) -> bool:
        answer = self._ask("GET", f"/api/jobs/{handle}")
        if answer.status_code not in (200, 404):
            _refuse(answer, self.url)
            raise Unavailable(f"{self.url} answered HTTP {answer.status_code} when asked for {handle}.")
        return answer.status_code == 200

    def _body(self, spec: RunSpec, attempt: int, handle: str) -> dict[str, Any]:
        runtime: dict[str, Any] = {"env_vars": {**spec.env, "RAY_JOB_STOP_WAIT_TIME_S": self._grace()}}
        if self.options.get("pip"):
            runtime["pip"] = self.options["pip"]
        arguments = ["--argv", json.dumps(spec.argv), "--attempt", str(attempt), "--timeout", str(spec.timeout_s)]
        arguments += ["--base", spec.base]
        if spec.start_within_s:
            arguments += ["--start-before", str(round(time.time() + spec.start_within_s))]
        script, where = self._send(spec, attempt, handle, runtime)
        return {
            "entrypoint": shlex.join([self.options.get("python") or "python", script, *where, *arguments]),
            "submission_id": handle,
            "runtime_env": runtime,
            "metadata": {MINE: spec.run_id, "attempt": str(attempt)},
            **_reserved(spec),
        }

    def _grace(self) -> str:
        return str(int(self.options.get("grace_s", 30)))

    def _send(self, spec: RunSpec, attempt: int, handle: str, runtime: dict[str, Any]) -> tuple[str, list[str]]:
        """Lay the run out where the cluster finds it; the script to start there and what it must be told."""
        far_end = f"{luggage.CODE}/studio/train/runners/far_end.py"
        if self.shared:
            self.shared.allow_only(spec.run_id, attempt)
            folder = self.shared.lay_out(spec.folder, spec.run_id, attempt, bool(spec.base))
            fence = ["--fence", str(self.shared.fence(spec.run_id)), "--log", str(folder / LOG)]
            return str(folder / far_end), ["--folder", str(folder), "--path", str(folder / luggage.CODE), *fence]
        runtime["working_dir"] = self._upload(spec, handle)
        return far_end, ["--folder", luggage.RUN, "--path", luggage.CODE, "--deliver", "log"]

    def _upload(self, spec: RunSpec, handle: str) -> str:
        if luggage.size_of(spec.folder, bool(spec.base)) > LARGEST_PACKAGE:
            raise InvalidInput(
                "The base model is too large to send through Ray's API. Give the place a shared folder under Settings, "
                "Places, or start from a base of the Hub."
            )
        package = luggage.packed(spec.folder, handle, bool(spec.base))
        name = f"_ray_pkg_{luggage.digest(package)}.zip"
        if self._ask("GET", f"/api/packages/gcs/{name}").status_code != 200:
            sent = self._ask("PUT", f"/api/packages/gcs/{name}", content=package, timeout=300.0)
            _refuse(sent, self.url)
            if sent.status_code != 200:
                raise Unavailable(
                    f"Ray did not take the run's files (HTTP {sent.status_code}): {_last_line(sent.text)}"
                )
        return f"gcs://{name}"

    def status(self, handle: str) -> RunState:
        """Where the job is; a cluster that does not answer, or not as it should, makes it unknown."""
        try:
            answer = self._ask("GET", f"/api/jobs/{handle}")
            if answer.status_code == 404:
                return RunState("lost", reason="The cluster does not know the run: it was restarted since.")
            _refuse(answer, self.url)
            found = answer.json()
            return _state(found)
        except Unavailable as error:
            return RunState("unknown", reason=error.message)
        except (ValueError, KeyError, TypeError):
            return RunState("unknown", reason=f"{self.url} does not answer like Ray (HTTP {answer.status_code}).")

    def logs(self, handle: str, offset: int) -> tuple[bytes, int]:
        """From the shared folder where there is one: Ray's API always sends the whole log."""
        if self.shared:
            return self.shared.log(handle, offset)
        whole = self._whole_log(handle)
        return whole[offset:], max(offset, len(whole))

    def _whole_log(self, handle: str) -> bytes:
        answer = self._ask("GET", f"/api/jobs/{handle}/logs", timeout=120.0)
        _refuse(answer, self.url)
        if answer.status_code != 200:
            raise Unavailable(f"Ray does not tell the log of {handle} (HTTP {answer.status_code}).")
        return str(answer.json()["logs"]).encode()

    def cancel(self, handle: str, grace_s: float) -> None:
        """Stop the job; the cluster itself kills it after the grace that it was submitted with."""
        answer = self._ask("POST", f"/api/jobs/{handle}/stop")
        _refuse(answer, self.url)
        if answer.status_code not in (200, 404):
            raise Unavailable(f"Ray did not stop {handle} (HTTP {answer.status_code}): {_last_line(answer.text)}")

    def collect(self, handle: str, folder: Path) -> None:
        """From the shared folder, or out of the log."""
        if self.shared:
            luggage.copy_results(self.shared.attempt(handle), folder)
            return
        found = results_in(self._whole_log(handle))
        if found is None:
            raise Conflict(
                "The run ended, but its results are not in its log: the cluster cut it. Use a shared folder."
            )
        luggage.unpack_results(found, folder)

    def forget(self, handle: str) -> None:
        """Empty the run's folders in the shared folder; the cluster keeps its own list of jobs."""
        if self.shared:
            self.shared.forget(handle.rpartition("-a")[0])

    def list_mine(self) -> Iterable[str]:
        """Jobs that were sent from a studio."""
        answer = self._ask("GET", "/api/jobs/")
        _refuse(answer, self.url)
        return [job["submission_id"] for job in answer.json() if MINE in (job.get("metadata") or {})]

    def _ask(self, verb: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self.http.request(verb, path, **more)
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise Unavailable(f"{self.url} does not answer ({what}). Check that the cluster runs.") from error


def _reserved(spec: RunSpec) -> dict[str, Any]:
    """What is not asked for is left out: then the job runs on the head node, as Ray's own client has it."""
    wanted = {
        "entrypoint_num_gpus": spec.resources.gpus,
        "entrypoint_num_cpus": spec.resources.cpus,
        "entrypoint_memory": int(spec.resources.memory_gb * (1 << 30)),
    }
    return {name: value for name, value in wanted.items() if value}


def _state(found: dict[str, Any]) -> RunState:
    state, code = STATES[found["status"]], found.get("driver_exit_code")
    if state == "failed" and code is not None:
        code = code if code >= 0 else 128 - code
        return RunState("cancelled" if code == 143 else "failed", code, reason_of(code))
    reason = "" if state in ("running", "succeeded") else _last_line(found.get("message") or "")
    return RunState(state, 0 if state == "succeeded" else code, reason)


def _refuse(answer: httpx.Response, url: str) -> None:
    if answer.status_code in (401, 403):
        raise Unavailable(
            f"{url} refused the token (HTTP {answer.status_code}). Enter it again under Settings, Compute."
        )
    if answer.is_redirect:
        raise Unavailable(f"{url} sends us elsewhere. Enter the address it answers at; a token is never sent on.")
    if answer.status_code >= 502:
        raise Unavailable(f"{url} is not ready (HTTP {answer.status_code}).")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
