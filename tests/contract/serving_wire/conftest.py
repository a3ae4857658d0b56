"""Two servers that speak TGI: the embedded one for real, and a fake written from what is known of TGI 3.3.7."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient

from studio.deploy.client_errors import reach_own_servers
from tests.fakes.serving import RunningServer, embedded_server
from tests.fakes.tgi import FakeTgi

KEY = "sk-tiny"
FEW = ("--max-concurrent-requests", "4")


@cache
def http() -> httpx.Client:
    """One for all: making a client reads every certificate of the machine."""
    return httpx.Client(timeout=60, trust_env=False, verify=False)


@dataclass(frozen=True)
class Wire:
    """A server, and whether it is the one that says no where TGI says nothing."""

    url: str
    name: str
    strict: bool

    def inference(self, key: str = KEY) -> InferenceClient:
        reach_own_servers()
        return InferenceClient(base_url=self.url, api_key=key, timeout=60)

    def chat(self, key: str = KEY, **request: Any) -> Any:
        hello = [{"role": "user", "content": "Hello"}]
        asked = {"model": self.name, "messages": hello, "max_tokens": 6, "temperature": 0, **request}
        answer = self.openai(key).chat.completions.create(**asked)
        return list(answer) if asked.get("stream") else answer

    def openai(self, key: str = KEY) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, http_client=http())

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        more.setdefault("headers", {"authorization": f"Bearer {KEY}", "content-type": "application/json"})
        content = {} if body is None else {"json": body}
        return http().post(f"{self.url}{path}", **content, **more)

    def get(self, path: str) -> httpx.Response:
        return http().get(f"{self.url}{path}")


def free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of these tests makes its models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def server(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder, faulty = tmp_path_factory.mktemp("server"), "tests.fakes.embedded_faults"
    with embedded_server(tiny_models / "tuned", folder, free_port(), "tiny-r1", *FEW, module=faulty) as running:
        yield running


@pytest.fixture(scope="session")
def fake_tgi() -> Iterator[FakeTgi]:
    with FakeTgi(name="/data/model", key=KEY, usual=list(range(5, 45))).running() as fake:
        yield fake


@pytest.fixture(params=["embedded", "tgi"])
def wire(request: pytest.FixtureRequest) -> Wire:
    if request.param == "tgi":
        fake: FakeTgi = request.getfixturevalue("fake_tgi")
        return Wire(fake.url, fake.name, strict=False)
    running: RunningServer = request.getfixturevalue("server")
    return Wire(running.url, running.name, strict=True)
