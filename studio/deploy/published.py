"""Where a model's weights are on the Hub, for targets that load them from there."""

from __future__ import annotations

from storage.tables import Model


def hub_repository(model: Model) -> str:
    """`owner/name@revision` of the repository these weights were pushed to last, or come from; empty if of none."""
    for entry in reversed((model.facts or {}).get("published") or []):
        if entry.get("repository") and entry.get("digest") == model.digest:
            return _joined(str(entry["repository"]), str(entry.get("revision") or ""))
    return _joined(model.hub_id, model.hub_revision)


def _joined(repository: str, revision: str) -> str:
    return f"{repository}@{revision}" if repository and revision else repository
