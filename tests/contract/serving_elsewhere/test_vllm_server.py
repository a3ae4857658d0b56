"""A vLLM that runs already: adapters come and go under revisions' names, and what it refuses is said in our words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.targets.asking import Asker
from studio.deploy.targets.port import Launch, Place
from studio.deploy.targets.vllm_server import VllmServerTarget
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable
from tests.fakes.hosted_server import Fault
from tests.fakes.vllm import BASE, FakeVllm

Launches = Callable[..., Launch]
HERE = Path("/")


def target(vllm: FakeVllm, key: str = FakeVllm.key, **options: Any) -> VllmServerTarget:
    return VllmServerTarget(Place("gpu", vllm.origin, key, options))


def seen_by(vllm: FakeVllm, launch: Launch, rank: int = 8) -> str:
    vllm.sees[str(launch.adapter_folder)] = rank
    return str(launch.adapter_folder)


def test_an_adapter_is_loaded_under_the_revisions_name_and_unloaded_at_the_end(
    vllm: FakeVllm, launches: Launches
) -> None:
    launch = launches()
    path = seen_by(vllm, launch)
    running = target(vllm).launch(launch)
    assert vllm.loaded == {"triage-r3": path}
    assert vllm.bodies == [{"lora_name": "triage-r3", "lora_path": path}]
    assert (running.endpoint, running.dialect) == (vllm.origin, "vllm")
    look = target(vllm).look(running.handle, HERE)
    assert look.alive and BASE in look.log_tail
    target(vllm).stop(running.handle)
    assert vllm.loaded == {} and not target(vllm).look(running.handle, HERE).alive


def test_a_second_launch_adopts_and_never_loads_over(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    first, second = target(vllm).launch(launch), target(vllm).launch(launch)
    assert first == second and len(vllm.bodies) == 1
    assert all("load_inplace" not in body for body in vllm.bodies)


def test_another_studio_that_was_quicker_is_adopted_too(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    path = seen_by(vllm, launch)
    vllm.faults.append(Fault("GET /v1/models", 200, body='{"object": "list", "data": []}'))
    vllm.loaded["triage-r3"] = path
    assert target(vllm).launch(launch).handle == f"triage-r3={path}"
    assert vllm.asked_for("load_lora_adapter") == 1


def test_two_revisions_answer_side_by_side(vllm: FakeVllm, launches: Launches) -> None:
    blue, green = launches("blue", "triage-r1"), launches("green", "triage-r2")
    seen_by(vllm, blue), seen_by(vllm, green)
    handles = [target(vllm).launch(each).handle for each in (blue, green)]
    target(vllm).stop(handles[0])
    assert set(vllm.loaded) == {"triage-r2"}
    assert target(vllm).look(handles[1], HERE).alive


def test_folders_are_named_as_that_server_sees_them(vllm: FakeVllm, launches: Launches, tmp_path: Path) -> None:
    vllm.sees["/mnt/adapters/rev"] = 8
    launch = launches(adapter=tmp_path / "adapters" / "rev")
    mapped = {str(tmp_path): "/elsewhere", str(tmp_path / "adapters"): "/mnt/adapters"}
    target(vllm, path_map=mapped).launch(launch)
    assert vllm.loaded == {"triage-r3": "/mnt/adapters/rev"}


def test_a_folder_outside_the_mapped_ones_is_refused_before_asking(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(InvalidInput, match="in none of the folders"):
        target(vllm, path_map={"/data": "/mnt"}).launch(launches())
    assert vllm.bodies == []


def test_a_restarted_vllm_has_lost_its_adapters_and_gets_them_again(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    running = target(vllm).launch(launch)
    vllm.restart()
    look = target(vllm).look(running.handle, HERE)
    assert not look.alive and "restarted" in look.log_tail
    assert target(vllm).launch(launch) == running and "triage-r3" in vllm.loaded


def test_other_weights_under_our_name_are_neither_used_nor_unloaded(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    path = seen_by(vllm, launch)
    vllm.loaded["triage-r3"] = "/somebody/elses"
    with pytest.raises(Conflict, match="serves /somebody/elses under the name triage-r3"):
        target(vllm).launch(launch)
    look = target(vllm).look(f"triage-r3={path}", HERE)
    assert not look.alive and "/somebody/elses" in look.log_tail
    target(vllm).stop(f"triage-r3={path}")
    assert vllm.loaded == {"triage-r3": "/somebody/elses"}


def test_a_base_under_our_name_is_not_taken_for_the_adapter(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(Conflict, match="serves a base model under the name"):
        target(vllm).launch(launches(name=BASE))


def test_merged_weights_are_only_found_never_put_there(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(InvalidInput, match=rf"it serves {BASE}.*--served-model-name triage-r3"):
        target(vllm).launch(launches(adapter=None))
    running = target(vllm).launch(launches(name=BASE, adapter=None))
    target(vllm).stop(running.handle)
    assert vllm.asked_for("unload") == 0


def test_a_loader_that_says_yes_and_lists_nothing_is_caught(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    vllm.lies = True
    with pytest.raises(Conflict, match="does not list it"):
        target(vllm).launch(launch)


@pytest.mark.parametrize("status", [400, 500])
def test_a_rank_that_is_too_large_is_named(vllm: FakeVllm, launches: Launches, status: int) -> None:
    launch = launches()
    seen_by(vllm, launch, rank=64)
    vllm.rank_status = status
    with pytest.raises(
        Conflict, match=r"takes: LoRA rank 64 is greater than max_lora_rank 16\. Start it with a larger --max-lora-rank"
    ):
        target(vllm).launch(launch)


def test_a_folder_that_vllm_does_not_see_is_named(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(Conflict, match=r"does not see .*Folders there"):
        target(vllm).launch(launches())


def test_updating_that_is_off_is_named_at_launch_and_at_the_check(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    vllm.updates_at_runtime = False
    with pytest.raises(Conflict, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"):
        target(vllm).launch(launch)
    health = target(vllm).check()
    assert not health.ok and "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1" in health.sentence


def test_a_vllm_without_lora_is_named(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    vllm.enables_lora = False
    with pytest.raises(Conflict, match="without --enable-lora"):
        target(vllm).launch(launch)


def test_a_wrong_key_is_named_and_does_not_look_like_a_crash(vllm: FakeVllm, launches: Launches) -> None:
    with pytest.raises(Conflict, match="refused the key"):
        target(vllm, "wrong").launch(launches())
    look = target(vllm, "wrong").look("triage-r3=/x", HERE)
    assert look.alive and "refused the key" in look.log_tail


def test_the_check_tells_what_it_serves_and_loads_nothing(vllm: FakeVllm) -> None:
    vllm.loaded["other"] = "/adapters/other"
    health = target(vllm).check()
    assert health.ok and health.warnings == () and health.offers == {"dialect": "vllm"}
    assert "vLLM 0.32.0" in health.sentence and BASE in health.sentence and "the adapter other" in health.sentence
    assert vllm.bodies == []


def test_a_vllm_without_a_key_on_a_private_address_is_a_warning(vllm: FakeVllm) -> None:
    vllm.needs_key = False
    health = target(vllm).check()
    assert health.ok and "asks for no key" in health.warnings[0] and "/v1 only" in health.warnings[0]


@pytest.mark.parametrize("key", ["", FakeVllm.key])
def test_a_vllm_that_everybody_reaches_without_a_key_is_refused(vllm: FakeVllm, launches: Launches, key: str) -> None:
    vllm.needs_key = False
    launch = launches()
    seen_by(vllm, launch)
    public = VllmServerTarget(Place("gpu", vllm.origin, key), lambda _host: ["93.184.216.34"])
    for ask in (public.check, lambda: public.launch(launch)):
        with pytest.raises(Conflict, match="Everybody can reach"):
            ask()
    assert vllm.loaded == {}


def test_a_public_vllm_with_a_key_is_used_with_a_warning(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    public = VllmServerTarget(Place("gpu", vllm.origin, FakeVllm.key), lambda _host: ["10.0.0.2", "2606:4700::1111"])
    assert "private network" in public.check().warnings[0]
    assert public.launch(launch).dialect == "vllm"


def test_an_answer_that_got_lost_is_found_by_the_next_look(vllm: FakeVllm, launches: Launches) -> None:
    launch = launches()
    seen_by(vllm, launch)
    vllm.faults.append(Fault("POST /v1/load_lora_adapter", after=True))
    with pytest.raises(Unavailable):
        target(vllm).launch(launch)
    assert target(vllm).launch(launch).handle and len(vllm.bodies) == 1


def test_a_silent_vllm_is_not_taken_for_a_dead_one(vllm: FakeVllm) -> None:
    there = target(vllm)
    there.server = Asker(vllm.origin, FakeVllm.key, 0.2)
    vllm.faults.append(Fault("GET", holds=True, times=9))
    look = there.look("triage-r3=/x", HERE)
    assert look.alive and "did not answer within" in look.log_tail
    there.stop("triage-r3=/x")


def test_a_vllm_that_is_away_is_said_and_stop_is_quiet(launches: Launches, nowhere: str) -> None:
    away = VllmServerTarget(Place("gpu", nowhere, "k"))
    with pytest.raises(Unavailable, match="Nothing answers"):
        away.launch(launches())
    assert not away.look("triage-r3=/x", HERE).alive  # a server that is gone has lost its adapters
    away.stop("triage-r3=/x", now=True)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            Fault("GET /v1/models", 200, body="<html>Sign in</html>", headers={"Content-Type": "text/html"}),
            "a web page",
        ),
        (Fault("GET /v1/models", 200, body='{"models": []}'), "does not list its models"),
        (
            Fault("GET /v1/models", 302, headers={"Location": "https://evil.example/v1/models"}),
            "redirects to https://evil",
        ),
        (Fault("GET /v1/models", 307, headers={"Location": "/login"}), "redirects to another path"),
        (Fault("GET /v1/models", 503, body="busy", headers={"Content-Type": "text/plain"}), "HTTP 503: busy"),
    ],
)
def test_odd_answers_become_one_sentence(vllm: FakeVllm, fault: Fault, said: str) -> None:
    vllm.faults.append(fault)
    with pytest.raises(StudioError, match=said):
        target(vllm).check()


def test_the_key_is_not_sent_after_a_redirect(vllm: FakeVllm) -> None:
    other = FakeVllm()
    try:
        vllm.faults.append(Fault("GET /v1/models", 307, headers={"Location": f"{other.origin}/v1/models"}))
        with pytest.raises(Unavailable, match="A key is never sent on"):
            target(vllm).check()
        assert other.lines == []
    finally:
        other.close()
