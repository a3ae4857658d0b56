"""A model that a company keeps, made callable: a provider at the place's own address, with the place's own key."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.places import PlaceRepository
from storage.repositories.providers import ProviderRepository
from storage.tables import ComputeTarget, Provider, TrainingRun
from studio.access.origins import origin_of
from studio.access.secrets import SecretBox
from studio.errors import Conflict
from studio.train.hosted import TRAINERS
from studio.train.starting import free_name


def provider_at(session: Session, secrets: SecretBox, run: TrainingRun, base_url: str, model: str) -> str | None:
    """The id of the project's provider that answers with this model, made if there is none.

    None where `base_url` is not of the origin that the place's key was entered for: the key goes nowhere else, so
    somebody has to enter a provider for the model.
    """
    place = PlaceRepository(session).named(run.runner)
    if place is None or origin_of(base_url) != _own_origin(place):
        return None
    providers = ProviderRepository(session)
    known = [each for each in providers.of_project(run.project_id) if each.base_url.rstrip("/") == base_url.rstrip("/")]
    provider = next((each for each in known if _same_key(secrets, each, place)), None) or _new(
        providers, run, base_url, place.encrypted_key
    )
    if model not in provider.models:
        provider.models = [*provider.models, model]
    return providers.add(provider).id


def _own_origin(place: ComputeTarget) -> tuple[str, str | None, int | None] | None:
    """Where the place's key may go; None for a kind of place that trains nothing by itself."""
    trainer = TRAINERS.get(place.kind)
    return origin_of(place.url or getattr(trainer, "home", "")) if trainer else None


def _same_key(secrets: SecretBox, provider: Provider, place: ComputeTarget) -> bool:
    """Whether a provider that is there already asks with the very key that trained; another's is left alone."""
    sealed = (provider.encrypted_key, place.encrypted_key)
    try:
        first, second = (secrets.decrypt(each) if each else "" for each in sealed)
    except Conflict:  # sealed with a key file that is gone
        return False
    return first == second


def _new(providers: ProviderRepository, run: TrainingRun, base_url: str, sealed_key: str) -> Provider:
    taken = {each.name for each in providers.of_project(run.project_id)}
    name = free_name(f"{run.runner} (tuned)", taken)
    return Provider(project_id=run.project_id, name=name, base_url=base_url, encrypted_key=sealed_key)
