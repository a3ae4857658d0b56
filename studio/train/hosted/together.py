"""Together: files, /fine-tunes/estimate-price, /fine-tunes; the tuned model answers there under its output name."""

from __future__ import annotations

from typing import Any

from studio.errors import Conflict
from studio.train.hosted.company import Company, Lost
from studio.train.hosted.files import file_id
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, Price, State
from studio.train.hosted.prices import by_size, by_the_token, epochs_of
from studio.train.hosted.rows import Upload

STATES: dict[str, State] = {
    "pending": "queued",
    "queued": "queued",
    "running": "running",
    "compressing": "running",
    "uploading": "running",
    "cancel_requested": "running",
    "cancelled": "cancelled",
    "error": "failed",
    "user_error": "failed",
    "completed": "succeeded",
}
LONGEST_SUFFIX = 40
TIERS: dict[tuple[str, bool], tuple[tuple[float, float], ...]] = {
    ("sft", True): ((16, 0.48), (69, 1.5), (100, 2.9)),
    ("sft", False): ((16, 0.54), (69, 1.65), (100, 3.2)),
    ("dpo", True): ((16, 1.2), (69, 3.75), (100, 7.25)),
    ("dpo", False): ((16, 1.35), (69, 4.12), (100, 8.0)),
}
"""(billions of parameters at most, USD per million tokens), by method and whether an adapter is trained."""


class Together(Company):
    """Fine-tuning at Together."""

    kind, label, home = "together", "Together", "https://api.together.xyz/v1"
    methods: tuple[str, ...] = ("sft", "distil", "dpo")

    def check(self) -> str:
        """One sentence about the account."""
        jobs = self.api.get("/fine-tunes").get("data") or []
        return f"Together accepts the key; the account has {len(jobs)} fine-tuning jobs."

    def price(self, spec: HostedSpec) -> Price | None:
        """Together's own estimate once you confirmed the place, for it wants the rows; before, from rough ones.

        Your own price, where you entered one, goes before both.
        """
        train, held_out = self.uploads(spec)
        model = self.model_of(spec)
        if not self.options.get("confirmed") or model in (self.options.get("prices") or {}):
            tier = by_size(model, _tiers(spec))
            return by_the_token(spec, train, model, [(model, tier)] if tier else (), self.options)
        said = self.api.post("/fine-tunes/estimate-price", json=self._body(spec, train, held_out, estimate=True))
        if said.get("estimated_total_price") is None:
            return None
        count = said.get("estimated_train_token_count") or 0
        limit = "" if said.get("allowed_to_proceed", True) else " The account's credit does not cover it."
        return Price(float(said["estimated_total_price"]), f"Together estimates {count:,} tokens to train.{limit}")

    def start(self, spec: HostedSpec) -> str:
        """Upload and start, or the job that carries our run's id already."""
        train, held_out = self.uploads(spec)
        if found := self._job_of(spec):
            return found
        body = self._body(spec, train, held_out)
        try:
            return str(self.api.post("/fine-tunes", json=body)["id"])
        except Lost:
            if found := self._job_of(spec):
                return found
            raise

    def status(self, handle: str) -> HostedStatus:
        """How far the job is."""
        job = self.api.get(f"/fine-tunes/{handle}")
        state = STATES.get(str(job["status"]), "unknown")
        return HostedStatus(state, _progress(job), self._last_word(handle) if state == "failed" else "")

    def cancel(self, handle: str) -> None:
        """Stop the job; one that ended is left alone."""
        if not self.status(handle).ended:
            self.api.post(f"/fine-tunes/{handle}/cancel")

    def result(self, handle: str) -> HostedResult:
        """The name to ask for; some bases answer at once, others want an endpoint of their own first."""
        job = self.api.get(f"/fine-tunes/{handle}")
        if job["status"] != "completed":
            raise Conflict(f"The job at Together is {job['status']}; there is no model yet.")
        name = str(job.get("model_output_name") or job.get("output_name"))
        facts = {"job": handle, "trained_tokens": job.get("token_count"), "price": job.get("total_price")}
        note = "If Together says that the model is not available, start a dedicated endpoint for it there first."
        return HostedResult(name, self.api.url, note, facts)

    def _body(self, spec: HostedSpec, train: Upload, held_out: Upload | None, estimate: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = {
            "training_file": self._file(train),
            "model": self.model_of(spec),
            "n_epochs": epochs_of(spec),
            "training_type": _training_type(spec),
            "training_method": _method(spec),
        }
        if held_out:
            body |= {"validation_file": self._file(held_out), "n_evals": 1}
        if estimate:
            return body
        rate = {"learning_rate": spec.recipe["learning_rate"]} if "learning_rate" in spec.recipe else {}
        return body | rate | {"n_checkpoints": 1, "batch_size": "max", "suffix": _suffix(spec)}

    def _file(self, upload: Upload) -> str:
        return file_id(self.api, upload, "/files/upload", {"file_name": upload.name, "file_type": "jsonl"})

    def _job_of(self, spec: HostedSpec) -> str | None:
        """Our run's job, if it was started before: its suffix is ours. One that failed or was stopped is dead."""
        wanted = _suffix(spec)
        listed: list[dict[str, Any]] = self.api.get("/fine-tunes").get("data") or []
        ours = (each for each in listed if each.get("suffix") == wanted)
        return next(
            (str(each["id"]) for each in ours if STATES.get(each["status"]) not in ("failed", "cancelled")), None
        )

    def _last_word(self, handle: str) -> str:
        events: list[dict[str, Any]] = self.api.get(f"/fine-tunes/{handle}/events").get("data") or []
        return str(events[-1].get("message", "")) if events else ""


def _tiers(spec: HostedSpec) -> tuple[tuple[float, float], ...]:
    return TIERS["dpo" if spec.method == "dpo" else "sft", bool(spec.recipe.get("use_peft", True))]


def _suffix(spec: HostedSpec) -> str:
    """Short, for Together cuts what is longer than forty characters."""
    return f"wt-{spec.run_id}"[-LONGEST_SUFFIX:]


def _progress(job: dict[str, Any]) -> float | None:
    done, total = job.get("steps_completed"), job.get("total_steps")
    return min(1.0, float(done) / float(total)) if done is not None and total else None


def _training_type(spec: HostedSpec) -> dict[str, Any]:
    if not spec.recipe.get("use_peft", True):
        return {"type": "Full"}
    rank = int(spec.recipe.get("lora_r", 16))
    return {
        "type": "Lora",
        "lora_r": rank,
        "lora_alpha": int(spec.recipe.get("lora_alpha", 2 * rank)),
        "lora_dropout": float(spec.recipe.get("lora_dropout", 0.0)),
        "lora_trainable_modules": "all-linear",
    }


def _method(spec: HostedSpec) -> dict[str, Any]:
    if spec.method == "dpo":
        return {"method": "dpo", "dpo_beta": float(spec.recipe.get("beta", 0.1))}
    return {"method": "sft", "train_on_inputs": False}
