"""The job that publishes a model. Killed and run again, it ends in the same files and one record."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from storage.tables import Model
from storage.types import now
from studio.access.secrets import SecretBox
from studio.deploy import artifact
from studio.deploy.publish.card import model_card
from studio.deploy.publish.destinations import Source, destination
from studio.deploy.publish.lineage import lineage_of
from studio.deploy.publish.port import Published
from studio.deploy.published import hub_repository
from studio.errors import NotFound
from studio.jobs.context import JobContext

LEFT_OUT = (".artifact", "README.md")


def publish_model(context: JobContext) -> dict[str, Any]:
    """Export, write the card, push, remember."""
    spec = context.spec
    with context.database.read() as session:
        model = session.get(Model, spec["model_id"])
        if model is None:
            raise NotFound("The model no longer exists. Choose another on Deploy, Pass on.")
        card = model_card(lineage_of(session, model))
    context.report(0.02, "Preparing the weights")
    files = {**_weights(artifact.export(context.artifacts, context.settings, model)), "README.md": _card(context, card)}
    sealed = str(spec.get("encrypted_key") or "")
    key = SecretBox(context.settings.secrets).decrypt(sealed) if sealed else ""
    place = destination(
        spec["where"], key, bool(spec.get("private", True)), str(spec.get("hub") or ""),
        url=str(spec.get("url") or ""), source=_source(context, model), digest=model.digest,
    )  # fmt: skip
    published = place.put(files, lambda share, text: _report(context, share, text))
    _remember(context, model, published)
    return {"where": published.where, "revision": published.revision}


def _source(context: JobContext, model: Model) -> Source:
    """What was entered, else the repository on the Hub that holds these very weights."""
    sealed = str(context.spec.get("encrypted_source") or "")
    entered = json.loads(SecretBox(context.settings.secrets).decrypt(sealed)) if sealed else {}
    address = str(entered.get("address") or hub_repository(model).partition("@")[0])
    return Source(address, str(entered.get("token") or ""))


def _report(context: JobContext, share: float, text: str) -> None:
    context.leave_if_asked()
    context.report(0.05 + 0.9 * share, text)


def _weights(folder: Path) -> dict[str, Path]:
    return {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in LEFT_OUT
    }


def _card(context: JobContext, text: str) -> Path:
    """Kept from the first attempt on, so that a second one sends the same bytes."""
    path = context.folder / "README.md"
    if not path.exists():
        write_atomically(path, text.encode())
    return path


def _remember(context: JobContext, model: Model, published: Published) -> None:
    entry = {**asdict(published), "digest": model.digest, "job_id": context.job_id}
    with context.database.write() as session:
        row = session.get_one(Model, model.id)
        facts = dict(row.facts or {})
        known = [each for each in facts.get("published") or [] if each.get("job_id") != context.job_id]
        row.facts = {**facts, "published": [*known, {**entry, "at": now().isoformat(), "by": context.created_by}]}
        session.add(row)
