"""The gateway's way to its upstreams: one pool per origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from studio.gateway.upstream.connection import Headers
from studio.gateway.upstream.pool import Pool, Reply

MOST_ORIGINS = 256


class Upstreams:
    """Pools by origin, made when first needed."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, str], Pool] = {}
        self._places: dict[str, tuple[Pool, bytes]] = {}

    async def chat(self, base_url: str, headers: Headers, body: bytes, wait_s: float) -> Reply:
        """POST to the base's `/chat/completions`. Raises UpstreamError."""
        pool, path = self._places.get(base_url) or self._place(base_url)
        return await pool.post(path, headers, body, wait_s)

    def close(self) -> None:
        """Close idle connections."""
        for pool in self._pools.values():
            pool.close()

    def _place(self, base_url: str) -> tuple[Pool, bytes]:
        parts = urlsplit(base_url)
        if len(self._pools) > MOST_ORIGINS:
            self.close()
            self._pools.clear()
            self._places.clear()
        pool = self._pools.setdefault((parts.scheme, parts.netloc), Pool(base_url))
        path = (parts.path.rstrip("/") or "/v1") + "/chat/completions"
        query = f"?{parts.query}" if parts.query else ""
        self._places[base_url] = (pool, (path + query).encode("ascii", "ignore"))
        return self._places[base_url]
