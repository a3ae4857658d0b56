"""Every hosted trainer beside a server that speaks its company's documented format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from studio.train.hosted import HostedSpec, hosted_trainer
from studio.train.hosted.company import Company
from tests.fakes.hosted_bedrock import BedrockServer
from tests.fakes.hosted_fireworks import FireworksServer
from tests.fakes.hosted_openai import OpenAIServer
from tests.fakes.hosted_server import HostedServer
from tests.fakes.hosted_together import TogetherServer

ARN = "arn:aws:iam::123456789012:role/reads-the-bucket"
COMPANIES: dict[str, tuple[type[HostedServer], str, dict[str, Any]]] = {
    "together": (TogetherServer, "/v1", {"model": "Qwen/Qwen3-8B"}),
    "fireworks": (FireworksServer, "", {"model": "accounts/fireworks/models/qwen3-8b", "account": "acme"}),
    "openai": (OpenAIServer, "/v1", {"model": "gpt-4o-mini-2024-07-18"}),
    "bedrock": (BedrockServer, "", {"model": "amazon.nova-lite-v1:0", "bucket": "bucket-of-acme", "role_arn": ARN}),
}
RECIPE = {"num_train_epochs": 2.4, "learning_rate": 1e-4, "use_peft": True, "lora_r": 8, "lora_alpha": 16, "seed": 3}


@dataclass
class Hosted:
    """A trainer, its company, and a run."""

    kind: str
    server: Any
    trainer: Company
    spec: HostedSpec
    waits: list[float] = field(default_factory=list)

    def another(self, key: str | None = None, **options: Any) -> Company:
        """The trainer as another process would make it."""
        made = trainer_of(self.kind, self.server, key or self.server.key, options)
        slept(made, self.waits)
        return made

    def with_rows(self, method: str, rows: list[dict[str, Any]]) -> HostedSpec:
        """A run of this method on these rows."""
        write_rows(self.spec.folder, rows)
        return replace(self.spec, method=method, run_id=f"{method}{'0' * 29}-a1"[:35])


def trainer_of(kind: str, server: HostedServer, key: str, options: dict[str, Any]) -> Any:
    _server, path, own = COMPANIES[kind]
    where = {"s3_url": server.origin} if kind == "bedrock" else {}
    return hosted_trainer(kind, server.origin + path, key, {**own, **where, **options})


def slept(trainer: Any, waits: list[float]) -> None:
    """Waiting is written down instead of done."""
    for api in (trainer.api, getattr(trainer, "store", None)):
        if api is not None:
            api.sleep = waits.append


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name in ("train", "eval"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "data" / f"{name}.jsonl").write_text(lines, encoding="utf-8")


def chats(count: int = 12) -> list[dict[str, Any]]:
    system = {"role": "system", "content": "Triage the ticket as JSON."}
    return [
        {
            "prompt": [system, {"role": "user", "content": f"Ticket {number}: späte Lieferung"}],
            "completion": [{"role": "assistant", "content": f'{{"n": {number}}}'}],
        }
        for number in range(count)
    ]


def pairs(count: int = 12) -> list[dict[str, Any]]:
    worse = [{"role": "assistant", "content": "No idea."}]
    return [{"prompt": row["prompt"], "chosen": row["completion"], "rejected": worse} for row in chats(count)]


@pytest.fixture(params=list(COMPANIES))
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    server = COMPANIES[request.param][0]()
    spec = HostedSpec("0f" * 16 + "-a1", "triage small", "sft", "Qwen/Qwen3-8B", tmp_path / "run", RECIPE)
    write_rows(spec.folder, chats())
    made = Hosted(request.param, server, trainer_of(request.param, server, server.key, {}), spec)
    slept(made.trainer, made.waits)
    yield made
    server.close()
