"""Fireworks: an on-demand deployment of an uploaded model, under an id of ours (docs.fireworks.ai, API reference).

Only tested against the documented formats. A deleted deployment is kept for a while there, and `:undelete` brings it
back; when a deployment that sleeps answers its first call again is Fireworks' to say.
"""

from __future__ import annotations

import re

from studio.access.places import Health
from studio.deploy.targets.company import OURS, CompanyTarget, Found
from studio.deploy.targets.kinds import FIREWORKS
from studio.deploy.targets.port import Launch
from studio.errors import InvalidInput, NotFound

READY = "READY"
BROKEN = ("FAILED",)
ENDED = ("DELETING", "DELETED")
ACCOUNT = re.compile(r"[A-Za-z0-9-]+")
SHORTEST_WAIT_MIN = 5
"""Fireworks lets nothing fall asleep sooner."""


class FireworksTarget(CompanyTarget):
    """Ended by deleting, for a deployment at zero replicas wakes at the next call and looks like one that runs."""

    kind, company, home = FIREWORKS, "Fireworks", "https://api.fireworks.ai"

    def check(self) -> Health:
        """Whether the key may see the account's deployments, and what an hour costs. Raises StudioError."""
        with self._readable():
            count = len(self.api.get(f"{self._account()}/deployments", {"pageSize": 50}).get("deployments") or [])
        usd, price = self.own_price()
        need = () if self.options.get("confirmed") else ("Nothing is started before somebody confirms the price.",)
        text = f"Fireworks accepts the key for {self.options['account']}, which has {count} deployments."
        return Health(True, f"{text} {price}", need, {}, usd)

    def scale_to_zero(self, handle: str) -> None:
        """No replica until the next call. Raises StudioError."""
        self.api.send("PATCH", f"/v1/{handle}:scale", json={"replicaCount": 0})

    def found(self, name: str, launch: Launch) -> Found | None:
        """By its id, which is our name."""
        return self.known(f"{self._account().removeprefix('/v1/')}/deployments/{name}")

    def known(self, handle: str) -> Found | None:
        """By its full name."""
        try:
            return self.api.get(f"/v1/{handle}")
        except NotFound:
            return None

    def create(self, name: str, launch: Launch) -> Found:
        """Fireworks starts it at once."""
        sleeps = max(SHORTEST_WAIT_MIN, int(self.options["scale_to_zero_minutes"] or SHORTEST_WAIT_MIN))
        body = {
            "baseModel": launch.repository,
            "displayName": launch.served_name[:60],
            "description": f"{OURS}{launch.revision_id}",
            "minReplicaCount": int(self.options["min_replica"]),
            "maxReplicaCount": max(1, int(self.options["max_replica"])),
            "acceleratorType": str(self.options["accelerator"]),
            "acceleratorCount": max(1, int(self.options["accelerator_count"])),
            "autoscalingPolicy": {"scaleToZeroWindow": f"{sleeps * 60}s"},
        }
        return self.api.post(f"{self._account()}/deployments", params={"deploymentId": name}, json=body)

    def wake(self, found: Found, launch: Launch) -> Found:
        """Bring back one that was deleted."""
        if found["state"] not in ENDED:
            return found
        return self.api.post(f"/v1/{found['name']}:undelete", json={})

    def end(self, handle: str) -> None:
        """Delete it, even if it was asked a moment ago: no route of ours leads there any more."""
        try:
            self.api.send("DELETE", f"/v1/{handle}", params={"ignoreChecks": "true"})
        except NotFound:
            return

    def handle(self, found: Found) -> str:
        """accounts/ACCOUNT/deployments/ID."""
        return str(found["name"])

    def served_name(self, found: Found) -> str:
        """The model at this very deployment."""
        return f"{found['baseModel']}#{found['name']}"

    def revision_of(self, found: Found) -> str:
        """As its description says."""
        text = str(found.get("description") or "")
        return text.removeprefix(OURS) if text.startswith(OURS) else text

    def endpoint(self, found: Found) -> str:
        """All deployments answer at one address."""
        return f"{self.root}/inference" if found["state"] == READY else ""

    def broken(self, found: Found) -> bool:
        """Failed for good."""
        return found["state"] in BROKEN

    def ended(self, found: Found) -> bool:
        """Deleted, or on its way there."""
        return found["state"] in ENDED

    def _account(self) -> str:
        account = str(self.options.get("account") or "")
        if not ACCOUNT.fullmatch(account):
            raise InvalidInput("Enter the account's id at Fireworks (`firectl whoami`), without accounts/.")
        return f"/v1/accounts/{account}"
