"""Every kind of job, name → "module:function", loaded lazily in the job's own process.

A handler is `def run(context: JobContext) -> dict[str, Any]`; what it returns becomes the job's result.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from studio.errors import NotFound
from studio.jobs.context import JobContext

Handler = Callable[[JobContext], dict[str, Any]]

HANDLERS: dict[str, str] = {
    "import": "studio.capture.jobs:import_file",
    "fetch_dataset": "studio.capture.jobs:fetch_dataset",
    "make_vectors": "studio.capture.jobs:make_vectors",
    "add_logs": "studio.curate.jobs:add_logs",
    "freeze": "studio.curate.jobs:freeze",
    "publish": "studio.label.jobs:publish",
    "collect": "studio.label.jobs:collect",
    "build_base": "studio.train.jobs:build_base",
    "train": "studio.train.jobs:train",
    "import_model": "studio.train.takeaway.jobs:import_model",
    "rehearse": "studio.train.rehearse.jobs:rehearse",
    "label_value": "studio.train.rehearse.label_jobs:label_value",
    "evaluate": "studio.evaluate.jobs:evaluate",
    "deploy": "studio.deploy.jobs:deploy",
    "publish_model": "studio.deploy.publish.jobs:publish_model",
    "forget_user": "studio.improve.jobs:forget_user",
    "next_turn": "studio.improve.jobs:next_turn",
    "sample_traffic": "studio.demo.jobs:sample_traffic",
    "sample_labels": "studio.demo.jobs:sample_labels",
}
LONG = frozenset({"train", "build_base", "label_value"})
"""Kinds that may take hours: they leave one slot free, so that imports and freezes go on meanwhile."""
WARM = LONG | {"rehearse"}
"""Kinds that spend their first seconds on importing torch and the trainers."""
PRELOAD = (
    "studio.run_job",
    "studio.jobs.attempt",
    "studio.train.recipes.preload",
)
"""What the warm process loads for them."""
ENTRY_POINT_GROUP = "whetstone.jobs"


def handler(kind: str) -> Handler:
    """The function that runs jobs of this kind. Raises NotFound for an unknown kind."""
    target = HANDLERS.get(kind) or _third_party().get(kind)
    if target is None:
        raise NotFound(f"No handler for jobs of kind {kind!r}.")
    module, _, name = target.partition(":")
    found: Handler = getattr(import_module(module), name)
    return found


def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
