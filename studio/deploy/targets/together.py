"""Together: a dedicated endpoint for an uploaded model, found again by its display name (docs.together.ai, v1).

Only tested against the documented formats. Together calls this API v1 and supports it until the end of 2026.
"""

from __future__ import annotations

from typing import Any

from studio.access.places import Health
from studio.deploy.targets.company import CompanyTarget, Found, server_name
from studio.deploy.targets.kinds import TOGETHER
from studio.deploy.targets.port import Launch
from studio.errors import Conflict, NotFound

STARTED = "STARTED"
BROKEN = ("FAILED", "ERROR")
ENDED = ("STOPPING", "STOPPED")


class TogetherTarget(CompanyTarget):
    """Their ids are their own, so the name we gave is looked for among the account's endpoints."""

    kind, company, home = TOGETHER, "Together", "https://api.together.ai"

    def check(self) -> Health:
        """Whether the key is accepted, and what the hardware costs by Together's own list. Raises StudioError."""
        with self._readable():
            usd, price = self._price()
        need = () if self.options.get("confirmed") else ("Nothing is started before somebody confirms the price.",)
        return Health(True, f"Together accepts the key. {price}", need, {}, usd)

    def found(self, name: str, launch: Launch) -> Found | None:
        """The list does not tell display names, so each of ours is asked."""
        mine = self.api.get("/v1/endpoints", {"type": "dedicated", "mine": "true"})["data"]
        every = (each if "display_name" in each else self.known(str(each["id"])) for each in mine)
        named = next((each for each in every if each and each["display_name"] == name), None)
        return named and self._same_model(named, launch)

    def known(self, handle: str) -> Found | None:
        """By Together's id."""
        try:
            return self.api.get(f"/v1/endpoints/{handle}")
        except NotFound:
            return None

    def create(self, name: str, launch: Launch) -> Found:
        """Together starts it at once."""
        least = max(1, int(self.options["min_replica"]))
        body: dict[str, Any] = {
            "model": launch.repository,
            "hardware": str(self.options["hardware"]),
            "autoscaling": {"min_replicas": least, "max_replicas": max(least, int(self.options["max_replica"]))},
            "display_name": name,
        }
        if minutes := int(self.options.get("stop_after_minutes") or 0):
            body["inactive_timeout"] = minutes
        return self.api.post("/v1/endpoints", json=body)

    def wake(self, found: Found, launch: Launch) -> Found:
        """Start one that was stopped."""
        return self._change(found["id"], "STARTED") if found["state"] in ENDED else found

    def end(self, handle: str) -> None:
        """Stop it, or delete it where the place says so."""
        try:
            if self.options["when_stopped"] == "delete":
                self.api.send("DELETE", f"/v1/endpoints/{handle}")
            else:
                self._change(handle, "STOPPED")
        except NotFound:
            return

    def handle(self, found: Found) -> str:
        """endpoint-…"""
        return str(found["id"])

    def served_name(self, found: Found) -> str:
        """Together's own name of the endpoint."""
        return str(found["name"])

    def revision_of(self, found: Found) -> str:
        """Its display name holds the revision's id already, and it has no other place for ours."""
        return ""

    def endpoint(self, found: Found) -> str:
        """All endpoints answer at one address."""
        return self.root if found["state"] == STARTED else ""

    def broken(self, found: Found) -> bool:
        """Failed for good."""
        return found["state"] in BROKEN

    def ended(self, found: Found) -> bool:
        """Stopped, or on its way there."""
        return found["state"] in ENDED

    def _same_model(self, found: Found, launch: Launch) -> Found:
        if launch.repository and found["model"] != launch.repository:
            raise Conflict(
                f"Together has an endpoint {server_name(launch)} for {found['model']}, not {launch.repository}. "
                "Delete it there, then deploy again."
            )
        return found

    def _change(self, handle: str, state: str) -> Found:
        found: Found = self.api.send("PATCH", f"/v1/endpoints/{handle}", json={"state": state}).json()
        return found

    def _price(self) -> tuple[float | None, str]:
        hardware = str(self.options["hardware"])
        listed = self.api.get("/v1/hardware")["data"]
        found = next((each for each in listed if each["id"] == hardware), None)
        if found is None:
            usd, price = self.own_price()
            return usd, f"It lists no hardware {hardware}; there is {', '.join(each['id'] for each in listed)}. {price}"
        usd = float(found["pricing"]["cents_per_minute"]) * 60 / 100
        return usd, f"{hardware} costs ${usd:.2f} an hour while it runs."
