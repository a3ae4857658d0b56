"""What is kept with a tuned model of the adapter it was merged from, so that the adapter alone can be served later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.tables import Model
from studio.jobs.context import JobContext

CONFIG = "adapter_config.json"


def kept_adapter(context: JobContext, folder: Path, base: Model) -> dict[str, Any]:
    """Store the adapter and tell what it is: {"adapter": {digest, r, alpha, targets, ..., base}}."""
    digest = context.artifacts.save_folder(folder, {"kind": "adapter"})
    config = json.loads((folder / CONFIG).read_text())
    with context.database.read() as session:
        on = session.get_one(Model, base.id).digest  # a base from the Hub may have come only with this run
    told = {
        "digest": digest,
        "base": on,
        "r": config.get("r"),
        "alpha": config.get("lora_alpha"),
        "targets": _layers(config.get("target_modules") or []),
        "use_rslora": bool(config.get("use_rslora")),
        "use_dora": bool(config.get("use_dora")),
    }
    return {"adapter_digest": digest, "adapter": told}


def _layers(told: str | list[str]) -> list[str]:
    """The kinds of layer it changes, as q_proj, whether they were told by kind, one by one, or as a pattern."""
    return [told] if isinstance(told, str) else sorted({name.rpartition(".")[2] for name in told})
