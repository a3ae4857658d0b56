"""How long small calls wait while one prompt of 10 MB is recorded with all detectors: cleaned on the loop as it used to
be, and beside it, in one run. Client and upstream share the gateway's process here, so a gateway alone makes them wait
less.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from pathlib import Path

import httpx
import pytest

from studio.capture.privacy import keeping
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.policy import Policy
from studio.deploy.router import Route
from studio.gateway import compose
from studio.gateway.compose import build_gateway
from studio.settings import Settings
from tests.fakes.gateway_thread import serving
from tests.fakes.routing import FakeKeys, FakeTable, api_key
from tests.fakes.upstream import serve
from tests.integration.gateway.conftest import find_port

SENTENCE = "Call Maria at +49 30 901820 or write to maria.lopez@example.com about order 4711 of the quarterly report. "
SIZE = 10 << 20
PAUSE_S = 0.005


def small(text: str) -> dict[str, object]:
    return {"model": "up-ok", "messages": [{"role": "user", "content": text}]}


async def measure(url: str) -> tuple[float, list[float]]:
    """Seconds that the big call took, and milliseconds of each small one meanwhile."""
    big = json.dumps(small(SENTENCE * (SIZE // len(SENTENCE)))).encode()
    waits: list[float] = []
    async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer wk-secret"}, timeout=120) as web:
        await web.post("/v1/chat/completions", json=small("warm"))
        started = time.perf_counter()
        asked = asyncio.ensure_future(web.post("/v1/chat/completions", content=big))
        while not asked.done():
            begun = time.perf_counter()
            assert (await web.post("/v1/chat/completions", json=small("Hello"))).status_code == 200
            waits.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(PAUSE_S)
        assert (await asked).status_code == 200
        return time.perf_counter() - started, waits


@pytest.mark.parametrize("where", ["on the loop", "beside"])
def test_small_calls_while_a_big_prompt_is_recorded(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(detectors=tuple(DETECTORS))
    monkeypatch.setattr(keeping, "Cleaner", lambda redactor, seal: Cleaner(redactor, lambda _: policy, seal))
    if where == "on the loop":
        monkeypatch.setattr(compose, "Beside", lambda _: None)
    settings = Settings(home=tmp_path / "home", upstream_timeout_s=60, max_body_mb=32)
    port = find_port()
    table = FakeTable({"up-ok": [Route(f"http://127.0.0.1:{port}/v1", "up-ok", "up-ok")]})
    with serve(port):
        gateway = build_gateway(settings, FakeKeys({"wk-secret": api_key()}), lambda: table, lambda _: None)
        with serving(gateway) as url:
            took, waits = asyncio.run(measure(url))
    print(
        f"\n{where:12} the big call {took:.1f} s; {len(waits)} small ones meanwhile: median"
        f" {statistics.median(waits):.1f} ms, longest {max(waits):.0f} ms; load {os.getloadavg()[0]:.1f}"
    )
