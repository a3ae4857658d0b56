"""Queries over places where models are served, and who uses them."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.repositories.deployments import ENDED_STATES
from storage.tables import Deployment, Revision, ServingPlace


class ServingPlaceRepository(Repository[ServingPlace]):
    """Places by name."""

    table: ClassVar[type[ServingPlace]] = ServingPlace

    def named(self, name: str) -> ServingPlace | None:
        """The place with this name."""
        return self.find_one(name=name)

    def every(self) -> list[ServingPlace]:
        """All places, oldest first."""
        return self.find()

    def revisions(self, place_id: str) -> list[Revision]:
        """Every revision that was ever served there and may be again."""
        return list(self.session.exec(select(Revision).where(Revision.place_id == place_id)))

    def in_use(self, place_id: str) -> list[str]:
        """Revisions that have, or shall have, a server there, as `alias revision 3`."""
        held = (col(Revision.handle) != "") | col(Revision.state).not_in(ENDED_STATES)
        query = select(Deployment.alias, Revision.number).join(Deployment, col(Deployment.id) == Revision.deployment_id)
        found = self.session.exec(query.where(Revision.place_id == place_id, held).order_by(Deployment.alias))
        return [f"{alias} revision {number}" for alias, number in found]
