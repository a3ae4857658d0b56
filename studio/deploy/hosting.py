"""Which target a revision is served on: its kind, at its configured place."""

from __future__ import annotations

from storage.database import Database
from storage.tables import Revision, ServingPlace
from studio.access.secrets import SecretBox
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.port import Place, ServingTarget
from studio.errors import NotFound
from studio.settings import Settings

GONE = "deleted_place"
"""In a revision's settings: the name of the place it was served at, which is no more."""


def opened(place: ServingPlace, secrets: SecretBox) -> Place:
    """The place with its key in clear."""
    key = secrets.decrypt(place.encrypted_key) if place.encrypted_key else ""
    return Place(place.name, place.url, key, dict(place.options))


def place_at(database: Database, settings: Settings, place_id: str | None) -> Place | None:
    """The place with this id, ready to be used; None for what needs none. Raises NotFound if it was deleted."""
    if place_id is None:
        return None
    with database.read() as session:
        row = session.get(ServingPlace, place_id)
    if row is None:
        raise NotFound("The place of this revision was deleted. Deploy the model somewhere else.")
    return opened(row, SecretBox(settings.secrets))


def target_at(database: Database, settings: Settings, kind: str, place_id: str | None) -> ServingTarget:
    """The target of this kind at this place. Raises NotFound if the place was deleted."""
    return serving_target(kind, place_at(database, settings, place_id))


def target_of(database: Database, settings: Settings, revision: Revision) -> ServingTarget:
    """Where this revision is served. Raises NotFound if that place was deleted."""
    if gone := revision.spec.get(GONE):
        raise NotFound(f"“{gone}”, where this revision was served, was deleted. Deploy the model somewhere else.")
    return target_at(database, settings, revision.target, revision.place_id)
