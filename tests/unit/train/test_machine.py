from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.train.machine import GIB, Machine, device_of, devices, host_memory, parsed_gpus

LISTING = """0, NVIDIA H100 80GB HBM3, 81559, 81079, 9.0
1, Tesla T4, 15360, [N/A], 7.5
No devices were found
2, odd, x, 1, 1
"""


def test_gpus_are_read_with_index_memory_and_capability() -> None:
    h100, t4 = parsed_gpus(LISTING)
    assert (h100.index, h100.name, h100.memory, h100.capability) == (0, "NVIDIA H100 80GB HBM3", 81559 << 20, 9.0)
    assert h100.bf16 and not t4.bf16
    assert t4.free == t4.memory, "a driver that does not tell what is free"
    assert h100.machine.gpu_memory == h100.memory and "GPU 0" in h100.label


def test_a_host_without_a_driver_has_its_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (cpu,) = devices()
    assert cpu.kind == "cpu" and cpu.memory == host_memory() >= cpu.free > 0 and cpu.machine.place == cpu.name


def test_a_driver_s_answer_becomes_devices_and_a_broken_driver_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTING}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert [each.kind for each in devices()] == ["cuda", "cuda", "cpu"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert [each.kind for each in devices()] == ["cpu"]


def test_a_container_s_limit_counts_as_the_host_s_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{2 * GIB}\n")
    monkeypatch.setattr("studio.train.machine.CGROUP_LIMITS", (limit, tmp_path / "none"))
    assert host_memory() == 2 * GIB
    limit.write_text("max\n")
    assert host_memory() > 0


def test_the_plan_s_machine_is_found_among_the_devices() -> None:
    found = device_of(Machine(8 * GIB, 2))
    assert found is not None and found.kind == "cpu"
    assert device_of(Machine(8 * GIB, 2, "a GPU of another host", GIB)) is None
