"""OpenAI's files and fine-tuning API, as documented."""

from __future__ import annotations

from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal, checked_rows

ENDED = ("succeeded", "failed", "cancelled")


class OpenAIServer(HostedServer):
    """Jobs wait until a test moves them."""

    def answer(self, asked: Asked) -> dict[str, Any]:
        match asked.method, asked.path.removeprefix("/v1").strip("/").split("/"):
            case "GET", ["files"]:
                listed = [{"id": f"file-{name}", "filename": name, "object": "file"} for name in self.files]
                return {"object": "list", "data": listed}
            case "POST", ["files"]:
                return self._upload(asked)
            case "GET", ["fine_tuning", "jobs"]:
                return {"object": "list", "data": list(self.jobs.values())}
            case "POST", ["fine_tuning", "jobs"]:
                return self._create(asked.json())
            case "GET", ["fine_tuning", "jobs", name]:
                return self._job(name)
            case "POST", ["fine_tuning", "jobs", name, "cancel"]:
                return self._cancelled(name)
        return super().answer(asked)

    def finish(self, handle: str) -> None:
        self.jobs[handle] |= {"status": "succeeded", "fine_tuned_model": f"ft:{self.jobs[handle]['model']}:acme::1"}
        self.jobs[handle] |= {"trained_tokens": 4200, "result_files": ["file-result"]}

    def run(self, handle: str) -> None:
        self.jobs[handle]["status"] = "running"

    def fail(self, handle: str, reason: str) -> None:
        self.jobs[handle] |= {"status": "failed", "error": {"code": "invalid", "message": reason, "param": None}}

    def _upload(self, asked: Asked) -> dict[str, Any]:
        fields, files = asked.form()
        if fields.get("purpose") != "fine-tune":
            raise Refusal(400, "purpose must be fine-tune")
        name, content = files["file"]
        self.files[name] = content
        return {"id": f"file-{name}", "filename": name, "bytes": len(content), "purpose": "fine-tune"}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        known = {"model", "training_file", "validation_file", "method", "suffix", "seed", "metadata"}
        if strange := set(body) - known:
            raise Refusal(400, f"Unrecognized request argument supplied: {min(strange)}")
        if not body["model"].startswith("gpt-"):
            raise Refusal(400, f"Model {body['model']} is not available for fine-tuning")
        kind = body["method"]["type"]
        if kind not in ("supervised", "dpo") or set(body["method"]) != {"type", kind} or len(body["suffix"]) > 64:
            raise Refusal(400, "Invalid method")
        rows = checked_rows(self.files[body["training_file"].removeprefix("file-")], kind == "dpo")
        if rows < 10:
            raise Refusal(400, f"Training file has {rows} example(s), but must have at least 10 examples")
        name = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[name] = {"id": name, "object": "fine_tuning.job", "status": "validating_files", "error": None} | body
        return self.jobs[name]

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise Refusal(404, f"Could not find fine tune: {name}")
        return self.jobs[name]

    def _cancelled(self, name: str) -> dict[str, Any]:
        if self._job(name)["status"] in ENDED:
            raise Refusal(400, "Job has already completed")
        self.jobs[name]["status"] = "cancelled"
        return self.jobs[name]
