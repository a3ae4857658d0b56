"""The container target on a real engine: opt-in, with STUDIO_TEST_PODMAN=1 and a `podman` on the PATH (as root).

Podman leaves its firewall chains (NETAVARK...) on the machine, as it always does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from docker import DockerClient

from studio.deploy.targets.containers.tgi import TgiContainer
from studio.deploy.targets.port import Launch, Place
from studio.errors import StudioError
from tests.contract.containers import podman

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("STUDIO_TEST_PODMAN") != "1", reason="needs STUDIO_TEST_PODMAN=1 and podman"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with podman.engine(tmp_path_factory.mktemp("podman")) as url:
        podman.make_image(url, Path(__file__).parent / "tiny_server.py")
        yield url


@pytest.fixture
def target(address: str) -> TgiContainer:
    return TgiContainer(Place("here", address, options={"image": podman.IMAGE, "gpu": "none"}))


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    model = tmp_path / "models" / "abc"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    return Launch(f"rev-{os.getpid()}-{time.monotonic_ns()}", "triage-r1", model, tmp_path / "server", "sk-1")


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def healthy(endpoint: str) -> bool:
    try:
        return httpx.get(f"{endpoint}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


def test_a_server_runs_in_a_closed_box_is_adopted_and_leaves_with_its_last_words(
    target: TgiContainer, launch: Launch
) -> None:
    assert target.check().ok
    running = target.launch(launch)
    until(lambda: healthy(running.endpoint), "healthy")
    assert httpx.get(f"{running.endpoint}/info").json() == {"model_id": "/models/triage-r1"}
    box = httpx.get(f"{running.endpoint}/box").json()
    assert (box["capabilities"], box["no_new_privileges"]) == ("0000000000000000", "1")
    assert (box["model_writable"], box["files"], box["offline"]) == (False, ["config.json"], "1")
    assert box["shm"] == 1 << 30
    assert running.endpoint.startswith("http://127.0.0.1:")
    assert target.launch(launch) == running
    assert "Connected" in target.look(running.handle, launch.folder).log_tail
    target.stop(running.handle)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
    gone = target.look(running.handle, launch.folder)
    assert gone.exit_code == 0 and "signal received" in gone.log_tail


def test_a_server_that_ends_at_once_tells_why(target: TgiContainer, launch: Launch) -> None:
    (launch.model_folder / "config.json").unlink()
    running = target.launch(launch)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
    gone = target.look(running.handle, launch.folder)
    assert gone.exit_code == 3 and "no config.json" in gone.log_tail


def test_a_server_that_does_not_leave_is_ended(target: TgiContainer, launch: Launch) -> None:
    running = target.launch(launch)
    target.stop(running.handle, now=True)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
    assert target.look(running.handle, launch.folder).exit_code == 137


def test_a_missing_image_is_told(address: str, launch: Launch) -> None:
    with pytest.raises(StudioError, match="is not on the machine of the container engine"):
        TgiContainer(Place("here", address, options={"image": "localhost/none:1"})).launch(launch)


def test_a_second_launch_at_the_same_time_makes_no_second_container(target: TgiContainer, launch: Launch) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(target.launch, [launch] * 4))
    assert len({running.handle for running in found}) == 1
    target.stop(found[0].handle, now=True)
    until(lambda: not target.look(found[0].handle, launch.folder).alive, "ended")


@pytest.fixture
def network(address: str) -> Iterator[str]:
    with closing(DockerClient(base_url=address, timeout=60)) as client:
        made = client.networks.create(f"studio-{os.getpid()}", internal=True)
        yield str(made.name)
        made.remove()


def test_a_private_network_gives_an_address_and_no_port(address: str, network: str, launch: Launch) -> None:
    target = TgiContainer(Place("here", address, options={"image": podman.IMAGE, "gpu": "none", "network": network}))
    running = target.launch(launch)
    until(lambda: healthy(running.endpoint), "healthy")
    with closing(DockerClient(base_url=address, timeout=60)) as client:
        assert not any(client.containers.get(running.handle).ports.values())
    target.stop(running.handle, now=True)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
