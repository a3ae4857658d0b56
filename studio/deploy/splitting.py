"""An alias over several providers' models: shares, and fallbacks that answer when the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.deployments import DeploymentRepository
from storage.repositories.models import ModelRepository
from storage.repositories.providers import ProviderRepository
from storage.tables import Model, Release
from studio.access.actor import Actor, Role, permit
from studio.deploy.releases import checked, present_routes, put_in_force
from studio.deploy.rollout import Routes
from studio.deploy.rows import create_alias
from studio.deploy.service import DeployService
from studio.errors import InvalidInput, NotFound
from studio.train.models import add_model

DIGITS = 2


@dataclass(frozen=True)
class ProviderShare:
    """A provider's model, and its share of the calls; zero is a fallback."""

    provider: str
    model: str
    percent: float


def share_of(written: str) -> ProviderShare:
    """A share as people write it: provider/model=percent. Raises InvalidInput."""
    named, _, percent = written.rpartition("=")
    provider, _, model = named.partition("/")
    try:
        share = ProviderShare(provider.strip(), model.strip(), float(percent))
    except ValueError:
        share = ProviderShare("", "", 0)
    if not share.provider or not share.model:
        raise InvalidInput(f"Write {written!r} as provider/model=percent, for example openai/gpt-4.1=80.")
    return share


class Splitting(DeployService):
    """Which providers' models answer an alias."""

    def split(
        self, actor: Actor, project_id: str, alias: str, shares: Sequence[ProviderShare], reason: str = ""
    ) -> Release:
        """Let these models answer, with shares that make 100 %; made on first use. Revisions of our own keep what they
        have, and the providers' models share the rest.
        """
        _check(shares)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            deployment = DeploymentRepository(session).find_one(project_id=project_id, alias=alias.strip())
            deployment = deployment or create_alias(session, project_id, alias)
            own = [route for route in present_routes(session, deployment.id) if route["revision_id"]]
            routes = [*own, *_routes(session, project_id, shares, 100 - sum(route["weight"] for route in own))]
            said = ", ".join(f"{share.provider}/{share.model} {share.percent:g} %" for share in shares)
            return put_in_force(
                session, deployment.id, checked(session, deployment.id, routes), reason or f"split: {said}", actor
            )


def _check(shares: Sequence[ProviderShare]) -> None:
    if not shares:
        raise InvalidInput("Name at least one provider's model to answer.")
    if any(not 0 <= share.percent <= 100 for share in shares):
        raise InvalidInput("A share of the calls is between 0 and 100 percent.")
    if len({(share.provider, share.model) for share in shares}) < len(shares):
        raise InvalidInput("A provider's model is named twice. Give each one share.")
    if abs(sum(share.percent for share in shares) - 100) > 0.01:
        raise InvalidInput(f"The shares add up to {sum(share.percent for share in shares):g} %, not to 100 %.")


def _routes(session: Session, project_id: str, shares: Sequence[ProviderShare], rest: float) -> Routes:
    """Routes that make up the rest; what rounding leaves over goes to the first that has a share."""
    weights = [round(share.percent * rest / 100, DIGITS) for share in shares]
    first = next(place for place, share in enumerate(shares) if share.percent)
    weights[first] = round(weights[first] + rest - sum(weights), DIGITS)
    models = [_model(session, project_id, share) for share in shares]
    return [
        {"model_id": model.id, "revision_id": None, "weight": weight}
        for model, weight in zip(models, weights, strict=True)
    ]


def _model(session: Session, project_id: str, share: ProviderShare) -> Model:
    """The provider's model, registered on first use."""
    provider = ProviderRepository(session).named(project_id, share.provider)
    if provider is None:
        names = ", ".join(each.name for each in ProviderRepository(session).of_project(project_id)) or "none yet"
        raise NotFound(f"There is no provider {share.provider!r} in this project. There are: {names}.")
    models = ModelRepository(session)
    found = models.find_one(project_id=project_id, provider_id=provider.id, provider_model=share.model)
    if found is not None:
        return found
    taken = share.model in models.names(project_id)
    name = f"{share.provider}/{share.model}" if taken else share.model
    made = Model(project_id=project_id, name=name[:120], kind="provider", provider_id=provider.id)
    made.provider_model = share.model
    return add_model(session, made)
