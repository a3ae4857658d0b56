"""AWS Signature Version 4: what proves to Bedrock and S3 who asks. The secret key itself never travels."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

ALGORITHM, STAMP = "AWS4-HMAC-SHA256", "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Credentials:
    """An access key; `token` for temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class AwsSigner:
    """Signs httpx requests for one service in one region."""

    credentials: Credentials
    region: str
    service: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, request: httpx.Request) -> None:
        """Add the headers that AWS checks. A streamed body must name its own hash in x-amz-content-sha256."""
        stamp = self.clock().strftime(STAMP)
        request.headers["x-amz-date"] = stamp
        if self.credentials.token:
            request.headers["x-amz-security-token"] = self.credentials.token
        body_hash = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.read()).hexdigest()
        if self.service == "s3":
            request.headers["x-amz-content-sha256"] = body_hash
        names = sorted(name for name in request.headers if name in ("content-type", "host") or name.startswith("x-amz"))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        wanted = "\n".join((ALGORITHM, stamp, scope, _sha(self._canonical(request, names, body_hash))))
        signature = hmac.new(self._key(stamp[:8]), wanted.encode(), hashlib.sha256).hexdigest()
        request.headers["Authorization"] = (
            f"{ALGORITHM} Credential={self.credentials.access_key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )

    def _canonical(self, request: httpx.Request, names: list[str], body_hash: str) -> str:
        path = request.url.raw_path.decode().partition("?")[0] or "/"
        path = path if self.service == "s3" else quote(path, safe="/-_.~")  # every other service encodes twice
        pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in _query(request))
        query = "&".join(f"{key}={value}" for key, value in pairs)
        headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names)
        return "\n".join((request.method, path, query, headers, ";".join(names), body_hash))

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.credentials.secret_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _query(request: httpx.Request) -> list[tuple[str, str]]:
    return list(request.url.params.multi_items())


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
