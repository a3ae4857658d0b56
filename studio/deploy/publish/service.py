"""Publishing: show a model's card, and push the model where others find it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Job, Model
from studio.access.actor import Actor, Role, permit
from studio.access.secrets import SecretBox
from studio.deploy.publish.card import model_card
from studio.deploy.publish.destinations import Source, destination
from studio.deploy.publish.lineage import lineage_of
from studio.errors import InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings


class Publishing:
    """Nothing leaves the machine but by `publish`, and a repository is private unless its publisher says otherwise."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database, self.artifacts, self.jobs, self.settings = database, artifacts, jobs, settings

    def card(self, model_id: str) -> str:
        """The model's card in Markdown, as it would be published now."""
        with self.database.read() as session:
            return model_card(lineage_of(session, _model(session.get(Model, model_id))))

    def publish(
        self,
        actor: Actor,
        model_id: str,
        where: str,
        *,
        key: str = "",
        private: bool = True,
        hub: str = "",
        url: str = "",
        source: Source | None = None,
    ) -> Job:
        """Push weights, tokenizer and card; a job does it, and the model remembers where it is.

        `where` is hub:organisation/name, fireworks:account/model, together:model, the full path of a folder, or an
        address such as s3://bucket/folder. Together fetches the weights itself: from `source`, else from the
        repository on the Hub that they were published to.
        Raises InvalidInput for an address that is none, or a model without weights.
        """
        destination(where, key, private, hub, url=url, source=source)
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            model = _model(session.get(Model, model_id))
            if not model.digest:
                raise InvalidInput(f"{model.name} has no weights here to publish.")
            spec: dict[str, Any] = {"model_id": model.id, "where": where.strip(), "private": private, "hub": hub}
            spec |= {"url": url, "encrypted_key": self._sealed(key), "encrypted_source": self._sealed(_written(source))}
            title = f"Publish {model.name} to {where.strip()}"
            return self.jobs.enqueue(
                session, actor, "publish_model", spec, title=title, project_id=model.project_id, needs=Role.ADMIN,
            )  # fmt: skip

    def _sealed(self, text: str) -> str:
        return SecretBox(self.settings.secrets).encrypt(text) if text else ""

    def published(self, model_id: str) -> list[dict[str, Any]]:
        """Where the model was pushed, newest first: {"where", "revision", "digest", "at", "by"}."""
        with self.database.read() as session:
            return list(reversed((_model(session.get(Model, model_id)).facts or {}).get("published") or []))


def _written(source: Source | None) -> str:
    """A signed address lets anybody fetch the weights, so it is kept like a key."""
    return json.dumps(asdict(source)) if source and source.address + source.token else ""


def _model(found: Model | None) -> Model:
    if found is None:
        raise NotFound("This model no longer exists. Reload the page and choose another.")
    return found
