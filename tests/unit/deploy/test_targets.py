"""The embedded target's handles and logs, on real processes; the external target's settings."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.embedded import EmbeddedTarget, _handle, tail
from studio.deploy.targets.external import ExternalTarget
from studio.deploy.targets.port import Launch
from studio.errors import InvalidInput


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield running
    running.kill()
    running.wait()


def launch(tmp_path: Path, **options: Any) -> Launch:
    return Launch("rev", "triage-r1", tmp_path / "model", tmp_path / "server", "secret", 1000, options)


def test_the_catalog_gives_both_targets() -> None:
    assert isinstance(serving_target("embedded"), EmbeddedTarget)
    assert isinstance(serving_target("external"), ExternalTarget)


def test_a_handle_names_one_process_and_no_later_one_with_its_number(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    target, handle = EmbeddedTarget(), _handle(process.pid)
    assert target.look(handle, tmp_path).alive
    assert not target.look(f"{process.pid}:1", tmp_path).alive
    target.stop(f"{process.pid}:1", now=True)
    assert target.look(handle, tmp_path).alive


def test_a_stopped_process_is_seen_as_gone(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    target, handle = EmbeddedTarget(), _handle(process.pid)
    target.stop(handle)
    process.wait(60)
    assert not target.look(handle, tmp_path).alive


def test_how_a_process_ended_is_seen_by_its_starter_and_stays_known(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    target, handle = EmbeddedTarget(), _handle(process.pid)
    assert target.look(handle, tmp_path).exit_code is None
    target.stop(handle, now=True)
    deadline = time.monotonic() + 60
    while target.look(handle, tmp_path).alive and time.monotonic() < deadline:
        time.sleep(0.02)
    codes = [target.look(handle, tmp_path).exit_code for _ in range(2)]
    assert codes == [-signal.SIGKILL] * 2
    assert target.look(f"{process.pid}:1", tmp_path).exit_code is None


def test_no_handle_is_not_alive_and_a_missing_log_is_empty(tmp_path: Path) -> None:
    look = EmbeddedTarget().look("", tmp_path)
    assert (look.alive, look.log_tail) == (False, "")


def test_a_launched_server_has_an_address_of_its_own_and_a_key_file_nobody_else_reads(tmp_path: Path) -> None:
    target = EmbeddedTarget()
    running = target.launch(launch(tmp_path))
    pid = int(running.handle.partition(":")[0])
    key = tmp_path / "server" / "key"
    assert key.read_text() == "secret" and key.stat().st_mode & 0o077 == 0
    assert running.endpoint.startswith("http://127.0.0.1:") and pid > 0
    target.stop(running.handle, now=True)


def test_the_tail_is_the_last_fifty_lines(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("\n".join(f"line {n}" for n in range(500)))
    lines = tail(log).splitlines()
    assert len(lines) == 50 and lines[-1] == "line 499"


def test_the_external_target_takes_the_address_it_is_given(tmp_path: Path) -> None:
    running = ExternalTarget().launch(launch(tmp_path, url="http://gpu-1:8080/v1/", dialect="tgi"))
    assert (running.endpoint, running.dialect) == ("http://gpu-1:8080", "tgi")


@pytest.mark.parametrize("options", [{}, {"url": "gpu-1"}, {"url": "http://gpu-1", "dialect": "latin"}])
def test_an_external_server_without_a_usable_address_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        ExternalTarget().launch(launch(tmp_path, **options))
