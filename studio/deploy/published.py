"""Where a model's weights were published, for targets that load them from there."""

from __future__ import annotations

from storage.tables import Model

COMPANIES = ("fireworks", "together")
"""Targets that serve what was uploaded to them."""


def hub_repository(model: Model) -> str:
    """`owner/name@revision` of the repository these weights were pushed to last, or come from; empty if of none."""
    for entry in reversed((model.facts or {}).get("published") or []):
        if entry.get("repository") and entry.get("digest") == model.digest:
            return _joined(str(entry["repository"]), str(entry.get("revision") or ""))
    return _joined(model.hub_id, model.hub_revision)


def source_at(model: Model, kind: str) -> str:
    """Where a target of this kind finds these weights: at the company itself, else on the Hub; empty if nowhere."""
    if kind not in COMPANIES:
        return hub_repository(model)
    for entry in reversed((model.facts or {}).get("published") or []):
        if entry.get("company") == kind and entry.get("digest") == model.digest:
            return str(entry["model"])
    return ""


def _joined(repository: str, revision: str) -> str:
    return f"{repository}@{revision}" if repository and revision else repository
