"""Whatever an engine says, in a sentence with the fix."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from docker.errors import APIError

from studio.deploy.targets.containers import target as containers
from studio.deploy.targets.containers.engine import address_of
from studio.deploy.targets.containers.errors import explained
from studio.deploy.targets.containers.tgi import TgiContainer
from studio.deploy.targets.port import Launch, Place, Preparable
from studio.errors import Conflict, InvalidInput, StorageFull, StudioError, Unavailable
from tests.fakes.engine_api import Answer, FakeEngine

FAULTS: dict[str, tuple[str, Answer, type[StudioError], str]] = {
    "no GPU runtime": (
        "start",
        (500, {"message": 'could not select device driver "" with capabilities: [[gpu]]'}),
        Conflict,
        "Install the NVIDIA Container Toolkit",
    ),
    "no GPU by CDI": (
        "start",
        (500, {"message": "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all"}),
        Conflict,
        "gpu to none",
    ),
    "port taken": (
        "start",
        (500, {"message": "driver failed programming external connectivity: Bind failed: port is already allocated"}),
        Conflict,
        "another port",
    ),
    "port taken, podman": (
        "start",
        (500, {"message": "rootlessport listen tcp 127.0.0.1:8080: bind: address already in use"}),
        Conflict,
        "another port",
    ),
    "disk full": (
        "create",
        (500, {"message": "mkdir /var/lib/docker/overlay2/abc: no space left on device"}),
        StorageFull,
        "docker system df",
    ),
    "no such folder": (
        "create",
        (400, {"message": 'invalid mount config for type "bind": bind source path does not exist: /srv/x'}),
        Conflict,
        "host_models_path",
    ),
    "no such network": ("start", (404, {"message": "network models not found"}), Conflict, "docker network create"),
    "wrong program": (
        "start",
        (400, {"message": 'OCI runtime create failed: exec: "vllm": executable file not found in $PATH: unknown'}),
        Conflict,
        "Choose the server's own image",
    ),
    "bad options": ("create", (400, {"message": "Duplicate mount point: /models/x"}), InvalidInput, "Correct them"),
    "anything else": ("create", (500, {"message": "the daemon is on fire"}), Unavailable, "refused: the daemon is on"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_engine_is_told_with_its_fix(fault: str, engine: FakeEngine, launch: Launch) -> None:
    step, engine.faults[step], kind, words = FAULTS[fault]
    with pytest.raises(kind) as told:
        TgiContainer(engine.place()).launch(launch)
    assert words in told.value.message and type(told.value) is kind


@pytest.mark.parametrize("fault", [name for name, case in FAULTS.items() if case[0] == "start"])
def test_what_could_not_start_is_not_left_behind_and_the_next_launch_is_a_new_one(
    fault: str, engine: FakeEngine, launch: Launch
) -> None:
    engine.faults["start"] = FAULTS[fault][1]
    with pytest.raises(StudioError):
        TgiContainer(engine.place()).launch(launch)
    assert engine.containers == {}
    engine.faults.clear()
    assert TgiContainer(engine.place()).launch(launch).handle == engine.only().id


def test_a_missing_image_offers_the_pull_and_names_it(engine: FakeEngine, launch: Launch) -> None:
    engine.images.clear()
    with pytest.raises(Conflict, match=r"`docker pull ghcr\.io/huggingface/text-generation-inference:3\.3\.7`"):
        TgiContainer(engine.place()).launch(launch)
    with pytest.raises(Conflict, match="switch the place's option pull on"):
        TgiContainer(engine.place()).prepare({}, print)


def test_a_missing_image_is_fetched_when_the_place_allows_it_telling_how_far_it_is(
    engine: FakeEngine, launch: Launch
) -> None:
    engine.images.clear()
    engine.pull_lines = [
        {"status": "Pulling from huggingface/text-generation-inference", "id": "3.3.7"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1_000_000_000, "total": 2_000_000_000}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 500_000_000, "total": 10_000_000_000}},
        {"status": "Pull complete", "id": "a", "progressDetail": {}},
    ]
    target, told = TgiContainer(engine.place(pull=True)), list[str]()
    assert isinstance(target, Preparable)
    target.prepare({}, told.append)
    assert [line.removeprefix(told[0]) for line in told] == ["", ": 1.0 of 2.0 GB", ": 1.5 of 12.0 GB"]
    told.clear()
    target.prepare({}, told.append)
    assert told == []
    assert target.launch(launch).handle == engine.only().id


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ("pull access denied for acme/tgi, repository does not exist or may require 'docker login'", Conflict, "login"),
        ("manifest unknown: no such tag", Conflict, "Check its name and tag"),
        ("toomanyrequests: You have reached your pull rate limit", Conflict, "docker login"),
        ("write /var/lib/docker/tmp/x: no space left on device", StorageFull, "docker system df"),
    ],
)
def test_a_pull_that_fails_half_way_is_told(
    message: str, kind: type[StudioError], words: str, engine: FakeEngine
) -> None:
    engine.images.clear()
    engine.pull_lines = [{"status": "Pulling fs layer", "id": "a"}, {"error": message}]
    with pytest.raises(kind, match=words):
        TgiContainer(engine.place(pull=True, image="acme/tgi:1")).prepare({}, print)


def test_no_engine_at_the_address(tmp_path: Path, launch: Launch) -> None:
    with pytest.raises(Unavailable, match=r"No container engine answers at unix://.*nobody.sock"):
        TgiContainer(Place(url=f"unix://{tmp_path}/nobody.sock")).launch(launch)


def test_an_engine_that_takes_connections_and_says_nothing(
    engine: FakeEngine, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "START_S", 0.3)
    engine.hangs = True
    with pytest.raises(Unavailable, match="takes connections but does not answer"):
        TgiContainer(engine.place()).launch(launch)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_socket_that_others_may_not_open(engine: FakeEngine, launch: Launch) -> None:
    engine.socket.chmod(0o600)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        with pytest.raises(Unavailable, match="may not use the container engine"):
            TgiContainer(engine.place()).launch(launch)
    finally:
        os.seteuid(0)


def test_a_refused_permission_is_told_whichever_way_it_comes() -> None:
    told = explained(PermissionError(13, "Permission denied"), "unix:///var/run/docker.sock")
    assert "usermod -aG docker" in told.message and "as good as root" in told.message


def test_unknown_words_are_passed_on() -> None:
    told = explained(APIError("bad", explanation="x" * 1000), "unix:///a")
    assert isinstance(told, Unavailable) and len(told.message) < 400


@pytest.mark.parametrize("url", ["tcp://gpu-1:2375", "http://10.0.0.5:2375"])
def test_an_engine_on_the_network_without_tls_is_refused(url: str, launch: Launch) -> None:
    with pytest.raises(InvalidInput, match="needs TLS"):
        TgiContainer(Place(url=url, options={"bind_address": "10.0.0.5"})).launch(launch)


def test_certificates_that_are_missing_are_named(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    options = {"bind_address": "10.0.0.5", "tls_folder": str(tmp_path)}
    with pytest.raises(InvalidInput, match=r"cert.pem, key.pem is missing"):
        TgiContainer(Place(url="tcp://gpu-1:2376", options=options)).launch(launch)


@pytest.mark.parametrize("options", [{}, {"network": "studio-models"}])
def test_a_loopback_port_or_a_network_of_another_machine_is_refused(options: dict[str, str], launch: Launch) -> None:
    with pytest.raises(InvalidInput, match="bind_address"):
        TgiContainer(Place(url="ssh://gpu-1", options=options)).launch(launch)


def test_an_address_of_another_kind_is_refused(launch: Launch) -> None:
    with pytest.raises(InvalidInput, match="unix://, ssh:// or tcp://"):
        TgiContainer(Place(url="npipe:////./pipe/docker", options={"bind_address": "10.0.0.5"})).launch(launch)


def test_without_an_address_it_is_the_environments_or_the_first_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert address_of(Place()) == "tcp://127.0.0.1:1"
    assert address_of(Place(url="unix:///a.sock")) == "unix:///a.sock"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("studio.deploy.targets.containers.engine.DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    (tmp_path / "docker.sock").touch()
    assert address_of(Place()) == f"unix://{tmp_path}/docker.sock"


def test_a_place_tells_whether_it_could_start_a_server(engine: FakeEngine) -> None:
    assert TgiContainer(engine.place()).check().ok
    engine.images.clear()
    missing = TgiContainer(engine.place()).check()
    assert not missing.ok and "docker pull" in missing.sentence
    assert "first deployment fetches" in TgiContainer(engine.place(pull=True)).check().sentence
    with pytest.raises(Conflict, match="docker network create"):
        TgiContainer(engine.place(network="elsewhere")).check()
