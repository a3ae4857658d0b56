"""What a rehearsal depends on, as one digest: the same batch is not rehearsed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from storage.tables import DatasetVersion, Model

WITHOUT_EFFECT = (
    *("num_train_epochs", "max_steps", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay"),
    *("max_grad_norm", "batch_size", "seed", "task", "patience", "samples", "keep_version_id", "report_to"),
)
"""Values that change neither what the model sees nor how long a micro-step takes."""


def key_of(version: DatasetVersion, base: Model, method: str, values: Mapping[str, Any], **more: Any) -> str:
    """SHA-256 of version, base, method and the values that matter."""
    kept = {name: value for name, value in values.items() if name not in WITHOUT_EFFECT and value is not None}
    facts = {"version": version.digest, "base": base.hub_id or base.digest, "method": method, "values": kept, **more}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
