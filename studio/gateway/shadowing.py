"""Shadowing: copies of answered calls go to a shadow beside them; a copy can be dropped, but never delays a caller."""

from __future__ import annotations

import asyncio
import logging
import time

from studio.deploy.counting import Attempt
from studio.deploy.router import Route, position
from studio.deploy.shadow_log import Answered, ShadowLog
from studio.gateway.body import Body
from studio.gateway.call import Call, Counts
from studio.gateway.dialects import servers_fault
from studio.gateway.headers import copy_headers
from studio.gateway.routing import Routing
from studio.gateway.upstream.client import Upstreams
from studio.gateway.upstream.errors import UpstreamError

AT_ONCE = 4
MOST_WAITING = 64
MOST_BYTES = 32 << 20
LONGEST_ANSWER = 8 << 20

log = logging.getLogger(__name__)


class _Copy:
    """A call to be answered once more."""

    def __init__(self, call: Call, live: Route, shadow: Route) -> None:
        self.uid, self.body, self.reply, self.sse, self.ms = call.uid, call.body, call.reply, call.sse, call.answered_ms
        self.live, self.shadow, self.project_id = live, shadow, call.key.project_id

    @property
    def size(self) -> int:
        """Bytes it holds."""
        return len(self.body.raw) + len(self.reply)


class Shadowing:
    """Few copies at once, few waiting: what is too much is dropped and counted."""

    def __init__(self, routing: Routing, upstreams: Upstreams, counts: Counts, kept: ShadowLog, wait_s: float) -> None:
        self.asked = 0
        self.dropped = 0
        self._routing = routing
        self._upstreams = upstreams
        self._counts = counts
        self._kept = kept
        self._wait_s = wait_s
        self._bytes = 0
        self._waiting: asyncio.Queue[_Copy] = asyncio.Queue(MOST_WAITING)

    def offer(self, call: Call) -> None:
        """Copy the call if it was answered and falls into a shadow's share: by its id, so everywhere alike."""
        live = call.route
        if (
            call.ended != "ok"
            or call.failed
            or live is None
            or not live.deployment_id
            or not call.body.endpoint.is_chat
        ):
            return
        shadows = self._routing.table.shadows(live)
        if not shadows:
            return
        at = position(call.uid) * 100
        for shadow, percent in shadows:
            if at < percent:
                self._put(_Copy(call, live, shadow))

    async def run(self) -> None:
        """Ask the shadows, for ever."""
        await asyncio.gather(*(self._serve() for _ in range(AT_ONCE)))

    def _put(self, copy: _Copy) -> None:
        if self._waiting.full() or self._bytes + copy.size > MOST_BYTES:
            self.dropped += 1
            return
        self._bytes += copy.size
        self._waiting.put_nowait(copy)

    async def _serve(self) -> None:
        while True:
            copy = await self._waiting.get()
            try:
                await self._ask(copy)
            except Exception:  # a bug here must not end the shadowing of all other calls
                log.exception("A shadow could not be asked.")
            finally:
                self._bytes -= copy.size

    async def _ask(self, copy: _Copy) -> None:
        self.asked += 1
        started = time.perf_counter()
        status, answer, error = await self._answer(copy.body, copy.shadow)
        ms = (time.perf_counter() - started) * 1000
        failed = servers_fault(status, copy.shadow)
        whole = ms if status < 400 else None
        deployment_id = str(copy.shadow.deployment_id)
        self._counts(Attempt(deployment_id, copy.shadow.key, failed, whole, shadow=True))
        self._kept.add(
            Answered(
                project_id=copy.project_id,
                deployment_id=deployment_id,
                revision_id=copy.shadow.key,
                log_uid=copy.uid,
                request=copy.body.raw,
                live_route=copy.live.key,
                live_reply=copy.reply,
                live_is_stream=copy.sse,
                live_ms=copy.ms,
                status=status,
                shadow_reply=answer,
                shadow_ms=ms,
                error=error,
            )
        )

    async def _answer(self, body: Body, shadow: Route) -> tuple[int, bytes, str | None]:
        """Status, body, and why there is no answer."""
        wait_s = min(shadow.timeout_s or self._wait_s, self._wait_s)
        try:
            headers, path = copy_headers(shadow), body.endpoint.upstream
            reply = await self._upstreams.post(shadow.base_url, path, headers, body.copy_for(shadow), wait_s)
            try:
                return reply.status, await reply.read_all(wait_s, LONGEST_ANSWER), None
            finally:
                reply.release()
        except UpstreamError as error:
            return 502, b"", f"The server does not answer: {error}."
