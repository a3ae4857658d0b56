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
        self._places: dict[tuple[str, bytes], tuple[Pool, bytes]] = {}

    async def post(self, base_url: str, path: bytes, headers: Headers, body: bytes, wait_s: float) -> Reply:
        """POST to a path under the base, as `/chat/completions`. Raises UpstreamError."""
        pool, whole = self._places.get((base_url, path)) or self._place(base_url, path)
        return await pool.post(whole, headers, body, wait_s)

    def close(self) -> None:
        """Close idle connections."""
        for pool in self._pools.values():
            pool.close()

    def _place(self, base_url: str, path: bytes) -> tuple[Pool, bytes]:
        parts = urlsplit(base_url)
        if len(self._pools) > MOST_ORIGINS:
            self.close()
            self._pools.clear()
            self._places.clear()
        pool = self._pools.setdefault((parts.scheme, parts.netloc), Pool(base_url))
        base = (parts.path.rstrip("/") or "/v1").encode("ascii", "ignore")
        query = f"?{parts.query}".encode("ascii", "ignore") if parts.query else b""
        self._places[base_url, path] = (pool, base + path + query)
        return self._places[base_url, path]
