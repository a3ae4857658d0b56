"""What was chosen in the set-up: data, base, method, thoroughness, where and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from studio.access.actor import Actor
from studio.ui.state import current_studio

LOCAL = "local"


@dataclass(frozen=True)
class Choice:
    """What was chosen: a version, a base (registered, or from the Hub menu), a way to learn and a preset."""

    project_id: str
    version_id: str
    base: str
    """`model:<id>` or `hub:<owner/name>`."""
    preset: str
    method: str = "sft"

    @property
    def base_kind(self) -> str:
        """model or hub."""
        return self.base.partition(":")[0]

    @property
    def base_key(self) -> str:
        """The model's id, or its name on the Hub."""
        return self.base.partition(":")[2]

    def base_id(self, actor: Actor) -> str:
        """The base's id; a Hub base is registered in the project when first used."""
        if self.base_kind == "model":
            return self.base_key
        return current_studio().models.register_hub_base(actor, self.project_id, self.base_key).id


@dataclass(frozen=True)
class Start:
    """How the run is started: what follows it, where it runs, and when."""

    then: str | None = None
    """The method trained on the result, in a chain."""
    runner: str = LOCAL
    not_before: datetime | None = None
