"""Together's files and fine-tunes API, as documented."""

from __future__ import annotations

from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal, checked_rows

BODY = {"training_file", "validation_file", "model", "n_epochs", "n_evals", "training_type", "training_method"}
MORE = {"n_checkpoints", "batch_size", "learning_rate", "suffix"}
ENDED = ("completed", "cancelled", "error", "user_error")


class TogetherServer(HostedServer):
    """Jobs wait until a test moves them."""

    def answer(self, asked: Asked) -> dict[str, Any]:
        match asked.method, asked.path.removeprefix("/v1").strip("/").split("/"):
            case "GET", ["files"]:
                return {"data": [{"id": f"file-{name}", "filename": name, "Processed": True} for name in self.files]}
            case "POST", ["files", "upload"]:
                return self._upload(asked)
            case "GET", ["fine-tunes"]:
                return {"data": list(self.jobs.values())}
            case "POST", ["fine-tunes", "estimate-price"]:
                return self._estimate(asked.json())
            case "POST", ["fine-tunes"]:
                return self._create(asked.json())
            case "GET", ["fine-tunes", name]:
                return self._job(name)
            case "GET", ["fine-tunes", name, "events"]:
                return {"data": [{"message": "Job started"}, {"message": self._job(name).get("reason", "")}]}
            case "POST", ["fine-tunes", name, "cancel"]:
                return self._cancelled(name)
        return super().answer(asked)

    def finish(self, handle: str) -> None:
        self.jobs[handle] |= {"status": "completed", "token_count": 4200, "total_price": 2}
        self.jobs[handle]["model_output_name"] = f"acme/{self.jobs[handle]['suffix']}"

    def run(self, handle: str) -> None:
        self.jobs[handle] |= {"status": "running", "steps_completed": 3, "total_steps": 12}

    def fail(self, handle: str, reason: str) -> None:
        self.jobs[handle] |= {"status": "user_error", "reason": reason}

    def _upload(self, asked: Asked) -> dict[str, Any]:
        fields, files = asked.form()
        if fields.get("purpose") != "fine-tune" or fields.get("file_type") != "jsonl":
            raise Refusal(400, "purpose and file_type are wrong")
        name = fields["file_name"]
        self.files[name] = files["file"][1]
        return {"id": f"file-{name}", "filename": name, "FileType": "jsonl"}

    def _checked(self, body: dict[str, Any], known: set[str]) -> int:
        if strange := set(body) - known:
            raise Refusal(400, f"unknown field: {min(strange)}")
        if "/" not in body["model"]:
            raise Refusal(400, f"model {body['model']} cannot be fine-tuned")
        method, kind = body["training_method"], body["training_type"]["type"]
        if method["method"] not in ("sft", "dpo") or kind not in ("Lora", "Full"):
            raise Refusal(400, "invalid training_method or training_type")
        return checked_rows(self.files[body["training_file"].removeprefix("file-")], method["method"] == "dpo")

    def _estimate(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = self._checked(body, BODY)
        count = rows * 100 * body["n_epochs"]
        told = {"estimated_total_price": count / 1000, "estimated_train_token_count": count}
        return told | {"estimated_eval_token_count": 0, "allowed_to_proceed": True}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        self._checked(body, BODY | MORE)
        if len(body["suffix"]) > 40:
            raise Refusal(400, "suffix must be at most 40 characters")
        name = f"ft-{len(self.jobs) + 1}"
        self.jobs[name] = {"id": name, "status": "pending"} | body
        return self.jobs[name]

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise Refusal(404, f"fine-tune job {name} not found")
        return self.jobs[name]

    def _cancelled(self, name: str) -> dict[str, Any]:
        if self._job(name)["status"] in ENDED:
            raise Refusal(400, "the job has ended")
        self.jobs[name]["status"] = "cancelled"
        return self.jobs[name]
