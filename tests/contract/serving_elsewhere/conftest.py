"""Servers elsewhere as small real ones that speak their recorded or documented formats."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.targets.port import Launch
from tests.fakes.endpoints_api import FakeEndpointsApi, asked_by_the_client
from tests.fakes.tgi import FakeTgi
from tests.fakes.vllm import FakeVllm

Launches = Callable[..., Launch]


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    server = FakeVllm()
    yield server
    server.close()


@pytest.fixture
def tgi() -> Iterator[FakeTgi]:
    with FakeTgi(name="/data/model").running() as server:
        yield server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpointsApi]:
    yield from asked_by_the_client(monkeypatch)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address of this machine that is taken, so that nobody else comes to answer there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def launches(tmp_path: Path) -> Launches:
    """A revision's launch; the adapter lies in a folder of this machine."""

    def make(revision: str = "5f0c9d2e8a7b4c1d9e0f", name: str = "triage-r3", **values: Any) -> Launch:
        adapter = values.pop("adapter", tmp_path / "adapters" / revision)
        defaults: dict[str, Any] = {"parameters": 1000, "options": {}, "adapter_folder": adapter}
        return Launch(revision, name, tmp_path / "model", tmp_path / "server", "key", **{**defaults, **values})

    return make
