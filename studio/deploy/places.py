"""Serving places: where models are served besides this machine, whether each answers, and what it costs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from storage.database import Database
from storage.repositories.serving_places import ServingPlaceRepository
from storage.tables import Revision, ServingPlace
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.origins import WEB, web_address
from studio.access.places import Health, PlaceName, checked_options, checked_place, sealed_key
from studio.access.secrets import SecretBox
from studio.deploy.hosting import GONE, opened
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.kinds import KINDS, ServingKind
from studio.deploy.targets.port import Checkable, Sleeper
from studio.errors import Conflict, InvalidInput, NotFound, StudioError

HERE = "embedded"
"""This machine needs no place, so nothing else may be called that."""
LONGEST_ADDRESS = 500


class ServingPlaceInput(BaseModel):
    """A place as somebody typed it."""

    name: PlaceName


class ServingPlaces:
    """Saves, finds, checks and deletes serving places. Keys are sealed and never shown again."""

    def __init__(self, database: Database, secrets: SecretBox) -> None:
        self.database, self.secrets = database, secrets

    def kinds(self) -> list[ServingKind]:
        """Every kind of place there is."""
        return list(KINDS.values())

    def all(self) -> list[ServingPlace]:
        """Every place without its key, oldest first."""
        with self.database.read() as session:
            return [_without_key(row) for row in ServingPlaceRepository(session).every()]

    def get(self, place_id: str) -> ServingPlace:
        """The place with this id, without its key. Raises NotFound."""
        return _without_key(self._row(place_id))

    def find(self, name: str) -> ServingPlace | None:
        """The place with this name, without its key, or None."""
        with self.database.read() as session:
            row = ServingPlaceRepository(session).named(name)
        return row and _without_key(row)

    def in_use(self, place_id: str) -> list[str]:
        """Revisions that have, or shall have, a server there."""
        with self.database.read() as session:
            return ServingPlaceRepository(session).in_use(place_id)

    def save(
        self,
        actor: Actor,
        name: str,
        kind: str,
        url: str = "",
        key: str = "",
        options: dict[str, Any] | None = None,
    ) -> ServingPlace:
        """Make the place, or change the one with this name; an empty key keeps the saved one at the same origin."""
        about = kind_of(kind)
        name = checked_place(ServingPlaceInput, name=name).name
        address, chosen = checked_address(about, url), checked_options(about, options or {})
        about.refuse_misfits(chosen)
        if name.lower() == HERE:
            raise InvalidInput("“embedded” is this machine already. Choose another name.")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            places = ServingPlaceRepository(session)
            row = places.named(name) or ServingPlace(name=name, kind=kind, created_by=actor.username)
            _refuse_another_place(row, about, address, places.in_use(row.id))
            before, row.encrypted_key = row.encrypted_key, self._sealed(about, row, address, key.strip())
            row.url, row.options = address, chosen
            places.add(row)
            if before and before != row.encrypted_key:
                self._hand_on(places.revisions(row.id), before, row.encrypted_key)
            record(session, actor, "saved the serving place", name, kind=kind, url=address, new_key=bool(key.strip()))
        return _without_key(row)

    def delete(self, actor: Actor, place_id: str) -> None:
        """Forget the place and its key. Raises Conflict while a revision has its server there."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            places = ServingPlaceRepository(session)
            row = places.get(place_id)
            if row is None:
                raise NotFound("This place does not exist.")
            if used := places.in_use(place_id):
                raise Conflict(f"{_some(used)} {_is(used)} still served there. Stop {_that(used)} first.")
            for revision in places.revisions(place_id):
                revision.place_id, revision.spec = None, {**revision.spec, GONE: row.name}
            session.flush()
            session.delete(row)
            record(session, actor, "deleted the serving place", row.name)

    def check(self, actor: Actor, place_id: str) -> Health:
        """Ask the place itself whether it can be used, with the saved key. Says what is wrong, and raises nothing."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
        row = self._row(place_id)
        try:
            target = serving_target(row.kind, opened(row, self.secrets))
            if isinstance(target, Checkable):
                return target.check()
        except StudioError as error:
            return Health(False, error.message)
        return Health(False, f"{row.name} says nothing about itself before a model is deployed there.")

    def scale_to_zero(self, actor: Actor, revision_id: str) -> None:
        """Let the revision's server sleep until the next call. Raises Conflict where that is not possible."""
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            revision = session.get(Revision, revision_id)
        if revision is None or not revision.place_id or not revision.handle:
            raise Conflict("This revision has no server that could sleep.")
        row = self._row(revision.place_id)
        target = serving_target(row.kind, opened(row, self.secrets))
        if not isinstance(target, Sleeper):
            raise Conflict(f"{kind_of(row.kind).label} cannot sleep. Stop the revision instead.")
        target.scale_to_zero(revision.handle)

    def _row(self, place_id: str) -> ServingPlace:
        with self.database.read() as session:
            row = ServingPlaceRepository(session).get(place_id)
        if row is None:
            raise NotFound("This place does not exist.")
        return row

    def _sealed(self, kind: ServingKind, row: ServingPlace, url: str, key: str) -> str:
        if kind.key == "no" and key:
            raise InvalidInput(f"{kind.label} takes no key.")
        sealed = sealed_key(self.secrets, row.encrypted_key, row.url, url, key)
        if kind.key == "required" and not sealed:
            raise InvalidInput(f"{kind.label} needs a key.")
        return sealed

    def _hand_on(self, revisions: list[Revision], before: str, after: str) -> None:
        """A new key reaches the revisions that answered to the old one, so that nobody's calls are refused."""
        old = self.secrets.decrypt(before)
        for revision in revisions:
            held = str(revision.spec.get("encrypted_key", ""))
            if held and self.secrets.decrypt(held) == old:
                revision.spec = {**revision.spec, "encrypted_key": after}


def kind_of(name: str) -> ServingKind:
    """The kind with this name. Raises InvalidInput."""
    if name not in KINDS:
        raise InvalidInput(f"There is no kind of serving place {name!r}. Choose among: {', '.join(KINDS)}.")
    return KINDS[name]


def checked_address(kind: ServingKind, url: str) -> str:
    """The address as this kind of place has it. Raises InvalidInput."""
    url = url.strip()
    if kind.url == "no" and url:
        raise InvalidInput(f"{kind.label} takes no address.")
    if kind.url == "required" and not url:
        raise InvalidInput(f"{kind.label} needs an address.")
    if not url:
        return ""
    scheme = url.partition("://")[0]
    if len(url) > LONGEST_ADDRESS or "://" not in url or scheme not in kind.schemes:
        raise InvalidInput(f"The place's address must start with {' or '.join(f'{each}://' for each in kind.schemes)}.")
    if scheme not in WEB:
        return url
    try:
        return web_address(url).removesuffix("/v1")
    except ValueError as error:
        raise InvalidInput(f"The place's address is not valid: {error}.") from error


def _refuse_another_place(row: ServingPlace, kind: ServingKind, url: str, used: list[str]) -> None:
    """What runs at the old address would be lost sight of."""
    if row.kind != kind.name:
        raise Conflict(f"“{row.name}” is a place of another kind. Delete it first, or choose another name.")
    if used and row.url != url:
        raise Conflict(
            f"{_some(used)} {_is(used)} still served at {row.url or 'the old address'}. Stop {_that(used)} first."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _that(names: list[str]) -> str:
    return "that" if len(names) == 1 else "those"


def _without_key(row: ServingPlace) -> ServingPlace:
    return ServingPlace(**row.model_dump(exclude={"encrypted_key"}))
