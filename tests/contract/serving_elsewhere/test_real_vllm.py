"""The same against a real vLLM, where one runs: set STUDIO_TEST_VLLM, _KEY and _ADAPTER (a folder it sees)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.deploy.targets.external import ExternalTarget
from studio.deploy.targets.port import Launch, Place
from studio.deploy.targets.vllm_server import VllmServerTarget
from studio.errors import Conflict

URL = os.environ.get("STUDIO_TEST_VLLM", "")
KEY = os.environ.get("STUDIO_TEST_VLLM_KEY", "")
ADAPTER = os.environ.get("STUDIO_TEST_VLLM_ADAPTER", "")
HERE = Path("/")
pytestmark = pytest.mark.skipif(not (URL and ADAPTER), reason="needs a real vLLM: set STUDIO_TEST_VLLM and _ADAPTER")
Launches = Callable[..., Launch]


@pytest.fixture
def there() -> VllmServerTarget:
    return VllmServerTarget(Place("real", URL, KEY))


def test_a_real_vllm_tells_what_it_is(there: VllmServerTarget) -> None:
    health = there.check()
    assert health.ok and health.sentence.startswith("vLLM ")
    assert ExternalTarget(there.place).check().offers == {"dialect": "vllm"}


def test_a_real_vllm_loads_adopts_and_unloads(there: VllmServerTarget, launches: Launches) -> None:
    launch = launches(name="studio-contract-r1", adapter=Path(ADAPTER))
    running = there.launch(launch)
    try:
        assert there.launch(launch) == running
        look = there.look(running.handle, HERE)
        assert look.alive and ADAPTER in look.log_tail
        with pytest.raises(Conflict, match="under the name studio-contract-r1"):
            there.launch(launches(name="studio-contract-r1", adapter=Path("/another")))
    finally:
        there.stop(running.handle)
    assert not there.look(running.handle, HERE).alive


def test_a_real_vllm_says_what_it_cannot_see(there: VllmServerTarget, launches: Launches) -> None:
    with pytest.raises(Conflict, match="does not see /not/there"):
        there.launch(launches(name="studio-contract-r2", adapter=Path("/not/there")))


def test_a_real_vllm_refuses_a_wrong_key(there: VllmServerTarget, launches: Launches) -> None:
    if KEY:
        with pytest.raises(Conflict, match="refused the key"):
            VllmServerTarget(Place("real", URL, "wrong")).launch(launches(name="studio-contract-r3"))
