"""What serving at a company has in common: one server per revision, found again by its name, never paid for unasked."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from studio.deploy.targets.kinds import ServingKind
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.deploy.targets.seen import forget, recalled, remember
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable
from studio.train.hosted.http import Api, Lost, bearer

API_S, TRIES, LOOK_S = 15.0, 2, 20.0
LONGEST_NAME = 40
OURS = "Whetstone revision "
DIALECT = "shared"
ENTER_IT = "Enter it again under Settings, Serving."

Found = dict[str, Any]
"""A server as the company describes it."""


class CompanyTarget(ABC):
    """Serving at a company: its adapter says how one is made, found, described and ended."""

    caps = Caps(needs_weights=False, private=False, outlives_studio=True)
    kind: ServingKind
    company: str
    home: str
    """Its own address, when the place names none."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        defaults = {option.name: option.default for option in self.kind.options}
        self.options: dict[str, Any] = {**defaults, **self.place.options}

    def launch(self, launch: Launch) -> Running:
        """Create the server, wake it, or find it. Its address is told by `look` once it can answer."""
        with self._readable():
            name = server_name(launch)
            found = self.found(name, launch)
            found = self._created(name, launch) if found is None else self._taken_up(found, launch)
            forget(launch.folder)
            return Running(self.handle(found), "", DIALECT, self.served_name(found))

    def look(self, handle: str, folder: Path) -> Look:
        """What the company says of it; while nothing is known it counts as running. An answer is good for 20 s."""
        seen = recalled(folder, handle, LOOK_S)
        if seen is None:
            seen = self._look(handle)
            remember(folder, handle, seen)
        return seen

    def stop(self, handle: str, now: bool = False) -> None:
        """End what is billed. One that is gone is fine. Raises StudioError."""
        with self._readable():
            found = self.known(handle)
            if found is not None and not self.ended(found):
                self.end(handle)

    def refusals(self, repository: str) -> list[str]:
        """It must be uploaded there, and somebody must have confirmed that it costs money."""
        found = [] if repository else [self._not_there]
        if not self.options.get("confirmed"):
            found.append(
                f"Serving at {self.place.name or self.company} costs money. Test the place to see its price, "
                "and confirm it under Settings, Serving."
            )
        return found

    def own_price(self) -> tuple[float | None, str]:
        """The price that somebody entered, and a sentence that says whose it is."""
        own = self.options.get("price_per_hour")
        if own:
            return float(own), f"An hour costs ${float(own):.2f}, as you entered it."
        return None, f"{self.company} tells no price for this. Look it up and enter it under “Your price”."

    @cached_property
    def api(self) -> Api:
        """The company's API. Raises InvalidInput without a key."""
        if not self.place.key:
            raise InvalidInput(f"{self.company} needs a key. Enter one under Settings, Serving.")
        key = self.place.key
        return Api(
            self.company, self.root, bearer(key), (key,), timeout_s=API_S, tries=TRIES, enter_it=ENTER_IT
        )  # fmt: skip

    @property
    def root(self) -> str:
        """The address of the API."""
        return (self.place.url or self.home).rstrip("/")

    @property
    def _not_there(self) -> str:
        kind = self.kind.name
        return f"This model is not at {self.company}. Publish it there first: studio publish MODEL {kind}:NAME"

    @abstractmethod
    def found(self, name: str, launch: Launch) -> Found | None:
        """The server of this name, None if there is none."""

    @abstractmethod
    def create(self, name: str, launch: Launch) -> Found:
        """Make it."""

    @abstractmethod
    def wake(self, found: Found, launch: Launch) -> Found:
        """The same server with somebody at home, if it had been ended."""

    @abstractmethod
    def known(self, handle: str) -> Found | None:
        """The server with this handle, None if it is gone."""

    @abstractmethod
    def end(self, handle: str) -> None:
        """End it, so that it is not billed."""

    @abstractmethod
    def handle(self, found: Found) -> str:
        """The company's own id of it."""

    @abstractmethod
    def served_name(self, found: Found) -> str:
        """What callers write as `model`."""

    @abstractmethod
    def revision_of(self, found: Found) -> str:
        """Whose it is; empty if it does not say."""

    @abstractmethod
    def endpoint(self, found: Found) -> str:
        """Where it answers, empty while it does not."""

    @abstractmethod
    def broken(self, found: Found) -> bool:
        """Whether the company could not run it."""

    @abstractmethod
    def ended(self, found: Found) -> bool:
        """Whether it was stopped or deleted, and so is not billed."""

    def _created(self, name: str, launch: Launch) -> Found:
        if problems := self.refusals(launch.repository):
            raise InvalidInput(" ".join(problems))
        try:
            return self.create(name, launch)
        except (Lost, Conflict):  # the answer was lost, or somebody was faster: it may be there all the same
            found = self.found(name, launch)
            if found is None:
                raise
            return self._taken_up(found, launch)

    def _taken_up(self, found: Found, launch: Launch) -> Found:
        if self.revision_of(found) not in ("", launch.revision_id):
            raise Conflict(f"{self.company} has {self.handle(found)} for another revision. Delete it there.")
        if self.broken(found):
            raise Conflict(
                f"{self.company} could not run {self.handle(found)}: {said(found)}. Delete it there, then deploy again."
            )
        return self.wake(found, launch)

    def _look(self, handle: str) -> Look:
        try:
            with self._readable():
                found = self.known(handle)
                if found is None:
                    return Look(False, f"{self.company} has no {handle} any more.")
                alive = not self.broken(found) and not self.ended(found)
                text = f"{handle} is {found.get('state')}: {said(found)}"
                return Look(alive, text, endpoint=self.endpoint(found) if alive else "")
        except StudioError as error:
            return Look(True, f"Nothing is known now: {error.message}")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unavailable(f"{self.company} answered in a form we cannot read: {error!r}.") from error


def server_name(launch: Launch) -> str:
    """Lower-case letters, digits and dashes, a letter first: what people recognise, and the revision's id."""
    mark = re.sub(r"[^a-z0-9]+", "", launch.revision_id.lower())[:12]
    words = re.sub(r"[^a-z0-9]+", "-", launch.served_name.lower()).strip("-") or "model"
    words = words if words[0].isalpha() else f"m-{words}"
    return f"{words[: LONGEST_NAME - len(mark) - 1].strip('-')}-{mark}"


def said(found: Found) -> str:
    """The company's own words about it."""
    status = found.get("status")
    message = status.get("message") if isinstance(status, dict) else ""
    return str(message or "it says nothing more").strip(". ")
