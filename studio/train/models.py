"""The model registry: everything that can answer, by name and project."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.models import ModelRepository
from storage.tables import Model, Provider
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, InvalidInput, NotFound
from studio.train.hub import on_menu


class Models:
    """Register and find models: a provider's, bases to start from, and tuned ones."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self, project_id: str, kinds: Collection[str] | None = None) -> list[Model]:
        """The project's models, newest first; `kinds` of provider, base, tuned."""
        with self.database.read() as session:
            return ModelRepository(session).of_project(project_id, kinds)

    def get(self, model_id: str) -> Model:
        """The model. Raises NotFound."""
        with self.database.read() as session:
            return existing_model(session, model_id)

    def find(self, project_id: str, name: str) -> Model | None:
        """The model with this name, or None."""
        with self.database.read() as session:
            return ModelRepository(session).find_one(project_id=project_id, name=name)

    def register_provider_model(
        self, actor: Actor, project_id: str, provider_id: str, provider_model: str, name: str
    ) -> Model:
        """Register a model that a provider answers for."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            provider = session.get(Provider, provider_id)
            if provider is None or provider.project_id != project_id:
                raise NotFound("That provider is not in this project. Add it under Settings, Providers.")
            model = Model(project_id=project_id, name=name, kind="provider", provider_id=provider_id)
            model.provider_model = provider_model
            return add_model(session, model)

    def register_base(
        self,
        actor: Actor,
        project_id: str,
        name: str,
        *,
        digest: str = "",
        hub_id: str = "",
        parameters: int = 0,
        facts: dict[str, Any] | None = None,
    ) -> Model:
        """Register weights to start from: an artifact, or a Hub model that the first run downloads."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if not digest and not hub_id:
                raise InvalidInput("A base model needs weights: an artifact or a model on the Hub.")
            model = Model(project_id=project_id, name=name, kind="base", digest=digest, hub_id=hub_id)
            model.parameters, model.facts = parameters, facts or {}
            return add_model(session, model)

    def register_hub_base(self, actor: Actor, project_id: str, hub_id: str) -> Model:
        """Register a base from the Hub menu, or return it when the project has it already."""
        base = hub_base(project_id, hub_id)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return ModelRepository(session).find_one(project_id=project_id, name=base.name) or add_model(session, base)


def add_model(session: Session, model: Model) -> Model:
    """Add a model in the caller's transaction. Raises InvalidInput without a name, Conflict when it is taken."""
    models = ModelRepository(session)
    model.name = model.name.strip()
    if not model.name or len(model.name) > 120:
        raise InvalidInput("A model needs a name of 1 to 120 characters.")
    if model.name in models.names(model.project_id):
        raise Conflict(f"There is already a model named “{model.name}” in this project. Choose another name.")
    return models.add(model)


def hub_base(project_id: str, hub_id: str) -> Model:
    """A base on the Hub menu as a model that is not saved yet. Raises InvalidInput when it is not on the menu."""
    chosen = on_menu(hub_id)
    facts = {"licence": chosen.licence, "note": chosen.note, "config": chosen.config}
    size = chosen.shape.parameters
    return Model(project_id=project_id, name=chosen.name, kind="base", hub_id=hub_id, parameters=size, facts=facts)


def existing_model(session: Session, model_id: str) -> Model:
    """The model, inside the caller's transaction. Raises NotFound."""
    model = ModelRepository(session).get(model_id)
    if model is None:
        raise NotFound("This model no longer exists. Choose another one on Train.")
    return model
