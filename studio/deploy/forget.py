"""Forgetting rows of a frozen version: the texts that gates quoted for the models that were trained on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlmodel import Session, col, select

from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository, parts
from storage.tables import Example, Model, Revision

QUOTING = ("golden", "template", "smoke")
TEXTS = ("rows", "first_divergence", "changed", "diff", "trained", "served", "prompt", "answer")
FORGOTTEN = "What was quoted here is gone, since a user was forgotten; the figures stay."


def forget_in_revisions(database: Database, version_id: str) -> int:
    """Take what gates quoted of golden prompts out of the revisions of these models; how many changed. Verdicts and
    figures stay.
    """
    changed = 0
    with database.write() as session:
        models = [key for key, _ in ForgettingRepository(session).models_of([version_id])]
        for revision in session.exec(select(Revision).where(col(Revision.model_id).in_(models))):
            told = [_without_texts(entry) for entry in revision.certificate]
            if told != revision.certificate:
                revision.certificate, changed = told, changed + 1
                session.add(revision)
    return changed


def forget_in_proofs(database: Database, project_id: str, example_ids: Collection[str]) -> int:
    """Take the golden answers to these examples' prompts out of what models recorded for the gates; how many."""
    gone = 0
    with database.write() as session:
        asked = {text for row in _examples(session, example_ids) if (text := _asked(row.messages))}
        for model in session.exec(select(Model).where(Model.project_id == project_id)) if asked else ():
            golden = model.facts.get("golden") if model.facts else None
            prompts = golden.get("prompts") or [] if isinstance(golden, dict) else []
            kept = [prompt for prompt in prompts if _asked(prompt.get("messages")) not in asked]
            if isinstance(golden, dict) and len(kept) < len(prompts):
                gone += len(prompts) - len(kept)
                model.facts = {**model.facts, "golden": {**golden, "prompts": kept}}
                session.add(model)
    return gone


def _examples(session: Session, example_ids: Collection[str]) -> Iterator[Example]:
    for some in parts(example_ids):
        yield from session.exec(select(Example).where(col(Example.id).in_(some)))


def _asked(messages: Any) -> str:
    """The last thing that the user says, with whatever system prompt before it."""
    said = [one for one in messages or [] if isinstance(one, dict) and one.get("role") == "user"]
    return str(said[-1].get("content") or "") if said else ""


def _without_texts(entry: dict[str, Any]) -> dict[str, Any]:
    evidence = entry.get("evidence")
    if entry.get("gate") not in QUOTING or not isinstance(evidence, dict):
        return entry
    if entry["gate"] == "smoke" and "note" not in evidence:  # prompts that people set: nothing golden is in them
        return entry
    kept = {name: value for name, value in evidence.items() if name not in TEXTS}
    return {**entry, "evidence": {**kept, "why": FORGOTTEN} if "why" in kept else kept}
