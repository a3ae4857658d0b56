"""A serving target whose servers are a FakeTgi each, in this process: started, crashed and stopped at will."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.errors import Unavailable
from tests.fakes.tgi import FakeTgi


class FakeTarget:
    """All instances share the servers, as all workers share a machine."""

    caps = Caps(needs_weights=False)
    servers: dict[str, FakeTgi] = {}
    launched: list[Launch] = []
    answers: dict[str, list[int]] = {}
    most_at_once = 0
    refuses = ""
    """Why a launch fails, if it does."""
    crash_at_start = False
    ignores_requests_to_stop = False
    _open = ExitStack()

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    @classmethod
    def reset(cls) -> None:
        """Close every server and forget."""
        cls._open.close()
        cls.servers, cls.launched, cls.answers = {}, [], {}
        cls.most_at_once, cls.refuses = 0, ""
        cls.crash_at_start = cls.ignores_requests_to_stop = False

    def launch(self, launch: Launch) -> Running:
        """A new server under the served name, or the one that this revision has."""
        for handle, fake in list(self.servers.items()):
            if (fake.name, fake.key) == (launch.served_name, launch.api_key):
                return Running(handle, fake.url)
        if self.refuses:
            raise Unavailable(self.refuses)
        FakeTarget.most_at_once = max(self.most_at_once, len(self.servers) + 1)
        self.launched.append(launch)
        handle = f"server-{len(self.launched)}"
        fake = self._open.enter_context(self._server(launch).running())
        if not self.crash_at_start:
            self.servers[handle] = fake
        return Running(handle, fake.url)

    def _server(self, launch: Launch) -> FakeTgi:
        return FakeTgi(name=launch.served_name, key=launch.api_key, answers=self.answers)

    def look(self, handle: str, folder: Path) -> Look:
        """Alive until crashed or stopped."""
        alive = handle in self.servers
        return Look(alive, f"the last words of {handle}", None if alive else 137)

    def stop(self, handle: str, now: bool = False) -> None:
        """Gone at once, unless it is stubborn and not killed."""
        if now or not self.ignores_requests_to_stop:
            self.servers.pop(handle, None)
