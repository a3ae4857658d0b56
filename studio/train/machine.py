"""What this machine offers a training run: memory, cores, and a GPU if there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """A host as the plan sees it."""

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


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """This host, asked once per process."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpu, gpu_memory = _first_gpu()
    return Machine(memory, os.cpu_count() or 1, gpu, gpu_memory)


def _first_gpu() -> tuple[str, int]:
    """Name and bytes of the first NVIDIA GPU, or nothing."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "", 0
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer offers no GPU
        return "", 0
    return _parsed(asked.stdout)


def _parsed(listing: str) -> tuple[str, int]:
    name, _, megabytes = listing.partition("\n")[0].rpartition(",")
    return (name.strip(), int(megabytes) << 20) if megabytes.strip().isdigit() else ("", 0)
