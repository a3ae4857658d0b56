from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest

from tests.fakes.serving import RunningServer, embedded_server, make_tiny_models


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with embedded_server(
        tiny_models / "tuned", folder, free_port(), "tiny-r1", "--max-concurrent-requests", "4"
    ) as running:
        yield running
