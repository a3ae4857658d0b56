"""Where a model's weights are on the Hub, for targets that load them from there."""

from __future__ import annotations

from typing import Any

from storage.tables import Model


def hub_repository(model: Model) -> str:
    """`owner/name@revision` of the repository the model was published in or comes from; empty if there is none."""
    published: Any = model.facts.get("published")
    if isinstance(published, dict) and published.get("repository"):
        return _joined(str(published["repository"]), str(published.get("revision") or ""))
    return _joined(model.hub_id, model.hub_revision)


def _joined(repository: str, revision: str) -> str:
    return f"{repository}@{revision}" if repository and revision else repository
