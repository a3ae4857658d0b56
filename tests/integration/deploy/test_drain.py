"""A server that is told to end: health says so, nobody new comes in, streams are finished."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.conftest import find_port

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
BODY = {"messages": [{"role": "user", "content": "Count"}], "stream": True}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    port = find_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.slow_engine", str(port), str(tmp_path)], cwd=ROOT)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        try:
            wait_for(lambda: status(client) == 200)
            yield process, client
        finally:
            process.kill()
            process.wait()


def status(client: httpx.Client) -> int:
    try:
        return client.get("/health").status_code
    except httpx.TransportError:
        return 0


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


def test_a_stream_under_way_is_finished_and_nothing_new_is_taken(
    slow: tuple[subprocess.Popen[bytes], httpx.Client], tmp_path: Path
) -> None:
    process, client = slow
    with client.stream("POST", "/v1/chat/completions", json=BODY) as reply:
        lines = reply.iter_lines()
        first = next(lines)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: status(client) == 503)
        refused = client.post("/v1/chat/completions", json=BODY)
        assert (refused.status_code, refused.json()["error_type"]) == (503, "healthcheck")
        assert process.poll() is None
        (tmp_path / "go").touch()
        rest = [first, *lines]
    assert "four" in "".join(rest) and [line for line in rest if line][-1] == "data: [DONE]"
    assert process.wait(60) == -signal.SIGTERM


def test_an_idle_server_ends_at_once(slow: tuple[subprocess.Popen[bytes], httpx.Client]) -> None:
    process, _client = slow
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
