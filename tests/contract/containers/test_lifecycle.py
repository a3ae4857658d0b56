"""A container's life: adopted, never doubled, asked to leave with time to do so, cleared away with its last words."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from studio.deploy.client import ServerClient
from studio.deploy.targets.containers import target as containers
from studio.deploy.targets.containers.payload import container_name
from studio.deploy.targets.containers.tgi import TgiContainer
from studio.deploy.targets.port import Launch
from studio.errors import Conflict, Unavailable
from tests.fakes.engine_api import FakeContainer, FakeEngine
from tests.fakes.tgi import FakeTgi


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def target(engine: FakeEngine) -> TgiContainer:
    return TgiContainer(engine.place())


def test_a_second_launch_finds_the_first_ones_container_after_a_restart_too(engine: FakeEngine, launch: Launch) -> None:
    first = TgiContainer(engine.place()).launch(launch)
    assert TgiContainer(engine.place()).launch(launch) == first
    assert len(engine.made) == 1 and engine.only().id == first.handle


@pytest.mark.parametrize("podman", [False, True])
def test_launches_at_the_same_time_make_one_container(
    podman: bool, engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    engine.podman = podman
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(target.launch, [launch] * 8))
    assert {running.handle for running in found} == {engine.only().id}


@pytest.mark.parametrize("podman", [False, True])
def test_a_name_that_is_taken_is_adopted_only_if_it_is_ours(
    podman: bool, engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    engine.podman = podman
    engine.containers["x"] = FakeContainer("x", container_name("rev1"), {"Image": "redis"}, "running")
    with pytest.raises(Conflict, match="`docker rm studio-rev1`"):
        target.launch(launch)
    assert engine.only().status == "running"


def test_a_container_that_was_made_but_not_started_is_started(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    first = target.launch(launch)
    engine.only().status = "created"
    assert target.launch(launch) == first and engine.only().status == "running"


def test_a_container_that_ended_is_replaced_and_its_last_words_kept(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    first = target.launch(launch)
    engine.only().ended(1)
    second = target.launch(launch)
    assert second.handle != first.handle and engine.only().id == second.handle
    assert target.look(first.handle, launch.folder).exit_code == 1


def test_other_revisions_have_containers_of_their_own(engine: FakeEngine, target: TgiContainer, launch: Launch) -> None:
    handles = {target.launch(replace(launch, revision_id=f"rev{n}")).handle for n in range(3)}
    assert len(handles) == 3 == len(engine.containers)


def test_a_running_container_is_alive_with_the_end_of_its_log_and_its_address(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    running = target.launch(launch)
    engine.only().log = b"".join(b"line %d\n" % n for n in range(500))
    look = target.look(running.handle, launch.folder)
    assert look.alive and look.endpoint == running.endpoint
    assert look.log_tail.splitlines()[0] == "line 450" and look.log_tail.endswith("line 499")


def test_a_container_that_ended_early_tells_code_log_and_reason_once_and_for_all(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    running = target.launch(launch)
    engine.only().out_of_memory = True
    engine.only().ended(137)
    look = target.look(running.handle, launch.folder)
    assert (look.alive, look.exit_code) == (False, 137)
    assert "router: Connected" in look.log_tail
    assert look.log_tail.endswith("The container ended with exit code 137. It ran out of memory.")
    assert engine.containers == {}
    assert TgiContainer(engine.place()).look(running.handle, launch.folder) == look


def test_a_log_that_the_engine_does_not_give_hides_nothing_else(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    running = target.launch(launch)
    engine.faults["logs"] = (501, {"message": "configured logging driver does not support reading"})
    assert "does not support reading" in target.look(running.handle, launch.folder).log_tail
    engine.only().ended(2)
    assert target.look(running.handle, launch.folder).exit_code == 2


def test_last_words_that_cannot_be_written_down_keep_the_container(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    running = target.launch(launch)
    engine.only().ended(1)
    launch.folder.write_text("a file where the folder should be")
    look = target.look(running.handle, launch.folder)
    assert look.alive and "cannot be kept in" in look.log_tail
    assert engine.only().status == "exited"


def test_a_container_that_somebody_removed_is_gone(engine: FakeEngine, target: TgiContainer, launch: Launch) -> None:
    running = target.launch(launch)
    engine.containers.clear()
    look = target.look(running.handle, launch.folder)
    assert (look.alive, look.exit_code) == (False, None) and "somebody removed it" in look.log_tail


def test_no_handle_is_no_server(target: TgiContainer, tmp_path: Path) -> None:
    assert not target.look("", tmp_path).alive


@pytest.mark.parametrize("fault", ["hangs", "gone", "refuses"])
def test_an_engine_that_does_not_tell_is_no_reason_to_launch_again(
    fault: str, engine: FakeEngine, target: TgiContainer, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = target.launch(launch)
    monkeypatch.setattr(containers, "LOOK_S", 0.3)
    if fault == "hangs":
        engine.hangs = True
    elif fault == "gone":
        engine.socket.unlink()
    else:
        engine.faults["json"] = (500, {"message": "database is locked"})
    look = target.look(running.handle, launch.folder)
    assert look.alive and look.log_tail.startswith("Unknown: ") and look.exit_code is None


def test_a_stop_asks_and_returns_and_the_engine_gives_95_seconds_to_whoever_stops_by_hand(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    engine.ignores_term = True
    running = target.launch(launch)
    target.stop(running.handle)
    assert engine.only().signals == ["SIGTERM"] and engine.only().status == "running"
    assert engine.only().body["StopTimeout"] == 95 <= target.caps.grace_s
    assert target.look(running.handle, launch.folder).alive
    target.stop(running.handle)
    target.stop(running.handle, now=True)
    assert target.look(running.handle, launch.folder).exit_code == 137


def test_a_server_that_is_leaving_is_not_adopted(engine: FakeEngine, target: TgiContainer, launch: Launch) -> None:
    engine.ignores_term = True
    first = target.launch(launch)
    target.stop(first.handle)
    second = target.launch(launch)
    assert second.handle != first.handle and engine.only().id == second.handle


def test_a_stop_of_what_has_ended_or_is_gone_is_harmless(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    running = target.launch(launch)
    engine.only().ended(0)
    target.stop(running.handle)
    target.stop(running.handle, now=True)
    engine.containers.clear()
    target.stop(running.handle)
    target.stop(running.handle, now=True)


def test_a_stop_that_the_engine_did_not_hear_is_told(engine: FakeEngine, target: TgiContainer, launch: Launch) -> None:
    running = target.launch(launch)
    engine.faults["kill"] = (500, {"message": "cannot kill container: tried to kill container, but did not receive"})
    with pytest.raises(Unavailable, match="did not receive"):
        target.stop(running.handle)


def test_a_real_server_is_found_by_its_own_name_behind_its_key_and_leaves_in_peace(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    engine.runs = True
    (launch.model_folder / "answers.json").write_text('{"Hello": [7, 8]}')
    running = target.launch(launch)
    client = ServerClient(running.endpoint, launch.served_name, launch.api_key)
    until(client.healthy, "healthy")
    assert client.names() == ["/models/triage-r1", "triage-r1"]
    assert client.greedy_tokens("Hello", 2) == [7, 8]
    target.stop(running.handle)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
    last = target.look(running.handle, launch.folder)
    assert last.exit_code == 0 and "signal received" in last.log_tail


def test_a_real_server_that_cannot_load_its_model_tells_why(
    engine: FakeEngine, target: TgiContainer, launch: Launch
) -> None:
    engine.runs = True
    os.remove(launch.model_folder / "config.json")
    running = target.launch(launch)
    until(lambda: not target.look(running.handle, launch.folder).alive, "ended")
    last = target.look(running.handle, launch.folder)
    assert last.exit_code == 3 and "no config.json in /models/triage-r1" in last.log_tail


def test_an_adapter_is_asked_for_by_its_name_on_both_of_tgis_ways() -> None:
    with FakeTgi(name="/models/triage-r1", key="sk", answers={"Hello": [7, 8]}).running() as server:
        client = ServerClient(server.url, "triage-r1", "sk")
        client.greedy_tokens("Hello", 2)
        assert server.seen[-1]["parameters"]["adapter_id"] == "triage-r1"
        client.chat([{"role": "user", "content": "Hello"}])
        assert server.seen[-1]["model"] == "triage-r1"
