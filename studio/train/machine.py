"""What this machine offers a training run: memory, cores, and its GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

GIB = 1 << 30
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
QUERY = ("index", "name", "memory.total", "memory.free", "compute_cap")
AMPERE = 8.0
"""Compute capability from which a GPU does bf16 and FlashAttention 2."""


@dataclass(frozen=True)
class Machine:
    """One place to train in, as the plan sees it."""

    memory: int
    cores: int
    gpu: str = ""
    gpu_memory: int = 0

    @property
    def room(self) -> int:
        """Bytes a training run may fill: the GPU's memory when there is one, else the machine's."""
        return self.gpu_memory or self.memory

    @property
    def place(self) -> str:
        """The device in words."""
        return self.gpu or f"{self.cores} CPU core{'s' if self.cores != 1 else ''}"


@dataclass(frozen=True)
class Device:
    """A processor that could train: the CPU, or one GPU."""

    kind: str
    """cpu or cuda."""
    index: int
    name: str
    memory: int
    """Bytes it has in all."""
    free: int
    """Bytes that nobody uses now."""
    capability: float = 0.0
    """CUDA compute capability, e.g. 8.0; 0 for a CPU."""
    cores: int = 1

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"GPU {self.index}: {self.name}" if self.kind == "cuda" else self.name

    @property
    def bf16(self) -> bool:
        """Whether it computes in bf16 at full speed."""
        return self.capability >= AMPERE

    @property
    def machine(self) -> Machine:
        """The device as a plan is made for it."""
        if self.kind == "cpu":
            return Machine(self.memory, self.cores)
        return Machine(host_memory(), self.cores, self.name, self.memory)


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """This host with its first GPU, asked once per process."""
    found = _known_devices()
    gpu = next((each for each in found if each.kind == "cuda"), None)
    return Machine(host_memory(), cores(), gpu.name if gpu else "", gpu.memory if gpu else 0)


def devices() -> list[Device]:
    """Every processor of this host that could train: its GPUs, then the CPU."""
    return [*_gpus(), _cpu()]


def device_of(machine: Machine) -> Device | None:
    """The processor that a plan for this machine runs on; None when it is not one of this host's."""
    kind = "cuda" if machine.gpu else "cpu"
    found = (each for each in _known_devices() if each.kind == kind and machine.gpu in ("", each.name))
    return next(found, None)


@lru_cache(maxsize=1)
def _known_devices() -> tuple[Device, ...]:
    """Asked once per process: processors do not come and go, and asking a driver takes time."""
    return tuple(devices())


def host_memory() -> int:
    """Bytes this process may use: the host's memory, or less where a container limits it."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(limit for path in CGROUP_LIMITS if (limit := _limit(path)))])


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> Device:
    count, whole = cores(), host_memory()
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return Device("cpu", 0, f"{count} CPU core{'s' if count != 1 else ''}", whole, min(free, whole), cores=count)


def _limit(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:  # no such limit on this host
        return 0
    return int(text) if text.isdigit() else 0


def _gpus() -> list[Device]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer offers no GPU
        return []
    return parsed_gpus(asked.stdout)


def parsed_gpus(listing: str) -> list[Device]:
    """The GPUs in nvidia-smi's answer; lines that are not about a GPU with memory are skipped."""
    found = (_gpu([part.strip() for part in line.split(",")]) for line in listing.splitlines())
    return [device for device in found if device is not None]


def _gpu(fields: list[str]) -> Device | None:
    if len(fields) != len(QUERY) or not (fields[0].isdigit() and fields[2].isdigit()):
        return None
    index, name, total, free, capability = fields
    version = float(capability) if capability.replace(".", "", 1).isdigit() else 0.0
    room = int(free) << 20 if free.isdigit() else int(total) << 20
    return Device("cuda", int(index), name, int(total) << 20, room, version, cores())
