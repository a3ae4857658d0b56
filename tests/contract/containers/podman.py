"""A real container engine for opt-in tests: Podman with a private store, and an image made of this machine's Python."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from docker import DockerClient

PYTHON = "/usr/bin/python3"
IMAGE = "localhost/tiny-server:latest"
LEFT_OUT = ("test", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "site-packages", "dist-packages")


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """The address of a Podman service that lives in this folder."""
    socket = folder / "api.sock"
    private = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    command = ["podman", *private, "--cgroup-manager", "cgroupfs", "system", "service", "-t", "0", f"unix://{socket}"]
    policy = folder / ".config" / "containers" / "policy.json"  # without one, Podman takes no image at all
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    with (folder / "service.log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    try:
        _wait_for(socket, service, folder / "service.log")
        yield f"unix://{socket}"
    finally:
        _remove_all(f"unix://{socket}")
        service.terminate()
        service.wait(60)


def make_image(url: str, entrypoint: Path) -> None:
    """An image of this machine's Python and one program."""
    with closing(DockerClient(base_url=url, timeout=300)) as client:
        changes = [f'ENTRYPOINT ["{PYTHON}", "-u", "/server.py"]']
        repository, tag = IMAGE.split(":")
        client.api.import_image_from_data(_root(entrypoint), repository=repository, tag=tag, changes=changes)


def _root(entrypoint: Path) -> bytes:
    real = os.path.realpath(PYTHON)
    library = Path(f"/usr/lib/{Path(real).name}")
    modules = [path for path in library.rglob("*") if path.is_file() and not set(path.parts) & set(LEFT_OUT)]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for folder in ("tmp", "proc", "sys", "dev", "etc", "models", "adapters"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(made)
        tar.add(real, arcname=PYTHON.lstrip("/"))
        tar.add(entrypoint, arcname="server.py")
        for path in [*modules, *_shared(Path(real), [path for path in modules if path.suffix == ".so"])]:
            tar.add(os.path.realpath(path), arcname=str(path).lstrip("/"), recursive=False)
    return data.getvalue()


def _shared(program: Path, modules: list[Path]) -> list[Path]:
    """The shared libraries that these need, with the loader."""
    said = subprocess.run(["ldd", str(program), *map(str, modules)], capture_output=True, text=True, check=False).stdout
    words = (word for line in said.splitlines() for word in line.split() if not line.endswith(":"))
    return [Path(word) for word in dict.fromkeys(words) if word.startswith("/")]


def _wait_for(socket: Path, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert service.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _remove_all(url: str) -> None:
    with closing(DockerClient(base_url=url, timeout=120)) as client:
        for container in client.containers.list(all=True):
            container.remove(force=True)
