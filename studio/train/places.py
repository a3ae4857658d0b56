"""Places: where runs may happen besides this machine, what an hour there costs, and whether they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints, field_validator
from sqlmodel import Session

from storage.database import Database
from storage.repositories.places import PlaceRepository
from storage.tables import ComputeTarget
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.origins import is_loopback, web_address
from studio.access.places import Health, PlaceName, checked_options, checked_place, sealed_key
from studio.access.secrets import SecretBox
from studio.errors import Conflict, InvalidInput, NotFound, StudioError
from studio.train.runners.catalog import KINDS, LOCAL, PlaceKind

BUILT_IN = "accelerate"
"""Needs no settings, so it may be named without having been saved."""


class PlaceInput(BaseModel):
    """A place as somebody typed it."""

    name: PlaceName
    url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    price_per_hour: Annotated[float, Field(ge=0, le=100_000)] = 0.0

    @field_validator("name")
    @classmethod
    def _is_not_built_in(cls, name: str) -> str:
        if name.lower() == LOCAL:
            raise ValueError("“local” is this machine already")
        return name

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        return web_address(url) if url else url


class Places:
    """Saves, finds, checks and deletes places. Keys are sealed and never shown again."""

    def __init__(self, database: Database, secrets: SecretBox) -> None:
        self.database, self.secrets = database, secrets

    def kinds(self) -> list[PlaceKind]:
        """Every kind of place there is."""
        return list(KINDS.values())

    def all(self) -> list[ComputeTarget]:
        """Every place without its key, oldest first."""
        with self.database.read() as session:
            return [_without_key(row) for row in PlaceRepository(session).every()]

    def get(self, place_id: str) -> ComputeTarget:
        """The place with this id, without its key. Raises NotFound."""
        return _without_key(self._row(place_id))

    def find(self, name: str) -> ComputeTarget | None:
        """The place with this name, without its key, or None."""
        with self.database.read() as session:
            row = PlaceRepository(session).named(name)
        return row and _without_key(row)

    def save(
        self,
        actor: Actor,
        name: str,
        kind: str,
        url: str = "",
        key: str = "",
        options: dict[str, Any] | None = None,
        price_per_hour: float = 0.0,
    ) -> ComputeTarget:
        """Make the place, or change the one with this name; an empty key keeps the saved one at the same origin."""
        about = kind_of(kind)
        given = checked_place(PlaceInput, name=name, url=url, price_per_hour=price_per_hour)
        chosen = _options(about, options or {})
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            places = PlaceRepository(session)
            row = places.named(given.name) or ComputeTarget(name=given.name, kind=kind, created_by=actor.username)
            if row.kind != kind:
                raise Conflict(f"“{row.name}” is a place of another kind. Delete it first, or choose another name.")
            row.encrypted_key = sealed_key(self.secrets, row.encrypted_key, row.url, given.url, key.strip())
            _refuse_what_is_missing(about, given.url, bool(row.encrypted_key))
            row.url, row.options, row.price_per_hour = given.url, chosen, given.price_per_hour
            places.add(row)
            record(session, actor, "saved the place", row.name, kind=kind, url=row.url, new_key=bool(key.strip()))
        return _without_key(row)

    def delete(self, actor: Actor, place_id: str) -> None:
        """Forget the place and its key, unless a run is still going on there."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            places = PlaceRepository(session)
            row = places.get(place_id)
            if row is None:
                raise NotFound("This place does not exist.")
            if running := places.unfinished_runs(row.name):
                raise Conflict(f"{', '.join(running[:3])} did not finish there yet. Stop that first.")
            session.delete(row)
            record(session, actor, "deleted the place", row.name)

    def check(self, actor: Actor, place_id: str) -> Health:
        """Ask the place itself whether it can be used, with the saved key. Says what is wrong, and raises nothing."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
        from studio.train.runners.driver import checked

        place, key = self.opened(self._row(place_id).name)
        try:
            return Health(True, checked(place, key))
        except StudioError as error:
            return Health(False, error.message)

    def opened(self, name: str) -> tuple[ComputeTarget, str]:
        """A place and its key in clear: for requests to its own origin and nothing else. Raises NotFound."""
        with self.database.read() as session:
            row = PlaceRepository(session).named(name)
        if row is None and name == BUILT_IN:
            return ComputeTarget(name=BUILT_IN, kind=BUILT_IN), ""
        if row is None:
            raise NotFound(f"There is no place named “{name}” any more. Choose another one and train again.")
        return _without_key(row), self.secrets.decrypt(row.encrypted_key) if row.encrypted_key else ""

    def _row(self, place_id: str) -> ComputeTarget:
        with self.database.read() as session:
            row = PlaceRepository(session).get(place_id)
        if row is None:
            raise NotFound("This place does not exist.")
        return row


def gpus_at(session: Session, name: str, here: int) -> int:
    """How many of this machine's GPUs a run at this place takes. Raises InvalidInput for a place that there is not."""
    if name == LOCAL:
        return 0
    place = PlaceRepository(session).named(name)
    if place is None and name != BUILT_IN:
        raise InvalidInput(f"There is no place named “{name}”. Choose another, or add it under Settings, Compute.")
    if place is not None and place.kind != BUILT_IN:
        return 0
    return min(int((place.options if place else {}).get("processes") or here), here)


def kind_of(name: str) -> PlaceKind:
    """The kind with this name. Raises InvalidInput."""
    if name not in KINDS:
        raise InvalidInput(f"There is no kind of place {name!r}. Choose among: {', '.join(KINDS)}.")
    return KINDS[name]


def _refuse_what_is_missing(kind: PlaceKind, url: str, has_key: bool) -> None:
    if kind.url == "required" and not url:
        raise InvalidInput(f"{kind.label} needs an address.")
    if kind.key == "required" and not has_key:
        raise InvalidInput(f"{kind.label} needs a key.")
    if kind.name == "ray" and not has_key and not is_loopback(url):
        raise InvalidInput(
            "A Ray cluster on another machine needs a token: without one, whoever reaches it can run code on it. "
            "Start it with RAY_AUTH_MODE=token and enter that token here."
        )


def _options(kind: PlaceKind, given: dict[str, Any]) -> dict[str, Any]:
    found = checked_options(kind, given)
    if "folder" in found and not Path(found["folder"]).is_absolute():
        raise InvalidInput("Enter the shared folder with its whole path, from / on.")
    return found


def _without_key(row: ComputeTarget) -> ComputeTarget:
    return ComputeTarget(**row.model_dump(exclude={"encrypted_key"}))
