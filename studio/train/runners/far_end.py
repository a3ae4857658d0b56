"""Runs at the place: starts the job in its folder, tells its events in what it prints, stops when superseded.

A plain script that needs the standard library only (and huggingface_hub where files come from or go to the Hub), so
that it is the same on a cluster, in a container and in a child process here. Exit codes are the job's own, 128 + n for
a signal, 75 when it must not run (superseded, or its turn came too late), 74 when the results cannot be delivered, 124
when it took too long.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

MARK = "@@whetstone "
SUPERSEDED, UNDELIVERED, TOO_LONG, STOPPED = 75, 74, 124, 143
RESULTS = ("summary.json", "error.json", "adapter", "merged", "rewards")
TOLD = RESULTS[:2]
"""What also an unfinished run says about itself."""
ENDS_OF_A_JOB = (0, 1, 143)
LARGEST_IN_LOG = 64 << 20
CHUNK = 48 << 10
TICK_S = 0.1
PR_SET_PDEATHSIG = 1


class Output:
    """Everything this process prints, one whole line at a time; also into a file where one is given."""

    def __init__(self, log: str) -> None:
        self.lock = threading.Lock()
        self.streams = [sys.stdout.buffer] + ([open(log, "ab", buffering=0)] if log else [])  # noqa: SIM115

    def line(self, text: bytes) -> None:
        """Print one line."""
        with self.lock:
            for stream in self.streams:
                stream.write(text if text.endswith(b"\n") else text + b"\n")
                stream.flush()

    def tell(self, kind: str, rest: str) -> None:
        """Print a line for the studio."""
        self.line(f"{MARK}{kind} {rest}".encode())


def main(arguments: list[str]) -> int:
    """Run the job and leave its exit code."""
    options = read(arguments)
    started_at = time.monotonic()
    folder = Path(options.folder).resolve()
    output = Output(options.log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    if options.start_before and time.time() > options.start_before:
        output.line(b"This job got its turn too late: it was given up. It ends without having started.")
        return record(options.state, SUPERSEDED)
    fetch(options, folder)
    events = Events(folder / "events.jsonl", output)  # before the job begins, or its first ones would look old
    child = start(options, folder)
    if options.state:
        write(options.state, "proc.json", {"pid": os.getpid(), "started": start_time(os.getpid()), "child": child.pid})
    copier = threading.Thread(target=copy, args=(child, output), daemon=True)
    copier.start()
    code = watch(options, events, child, output, stop, started_at)
    copier.join(5)
    return record(options.state, deliver(options, folder, output, code))


def read(arguments: list[str]) -> argparse.Namespace:
    """What the sending side asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--argv", required=True, help="the job, as a JSON list")
    parser.add_argument("--path", default="", help="folder of the studio's own source")
    parser.add_argument("--base", default="", help="hub id@commit to fetch")
    parser.add_argument("--inputs", default="", help="hub repository:path of a zip to unpack first")
    parser.add_argument("--deliver", default="", help="log, or hub repository:path of a zip")
    parser.add_argument("--log", default="")
    parser.add_argument("--state", default="")
    parser.add_argument("--fence", default="", help="file with the number of the attempt that may run")
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--start-before", type=float, default=0)
    parser.add_argument("--timeout", type=float, default=0)
    return parser.parse_args(arguments)


def fetch(options: argparse.Namespace, folder: Path) -> None:
    """Bring the inputs, and the base, that were not sent along."""
    folder.mkdir(parents=True, exist_ok=True)
    if options.inputs:
        from huggingface_hub import hf_hub_download

        repository, _, path = options.inputs.partition(":")
        with zipfile.ZipFile(hf_hub_download(repository, path, repo_type="dataset")) as packed:
            packed.extractall(folder)
    if options.base and not (folder / "base" / "config.json").exists():
        from huggingface_hub import snapshot_download

        name, _, commit = options.base.partition("@")
        snapshot_download(name, revision=commit or None, local_dir=folder / "base")


def start(options: argparse.Namespace, folder: Path) -> subprocess.Popen[bytes]:
    """The job, in a process group of its own that ends with us."""
    words = {"{python}": sys.executable, "{folder}": str(folder)}
    argv = [words.get(word, word) for word in json.loads(options.argv)]
    paths = [os.path.abspath(options.path) if options.path else "", os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
    }
    parent = os.getpid()
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: die_with(parent),
    )


def die_with(parent: int) -> None:
    """In the child: a group of its own, and TERM when the parent is killed."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def copy(child: subprocess.Popen[bytes], output: Output) -> None:
    """Print what the job prints."""
    assert child.stdout
    for line in child.stdout:
        output.line(line)


def watch(
    options: argparse.Namespace,
    events: Events,
    child: subprocess.Popen[bytes],
    output: Output,
    stop: threading.Event,
    started_at: float,
) -> int:
    """Tell the job's events until it ends; stop it when asked, superseded or overdue."""
    verdict, asked = 0, False
    while child.poll() is None:
        events.tell()
        if not verdict and superseded(options):
            verdict = SUPERSEDED
        if not verdict and options.timeout and time.monotonic() - started_at > options.timeout:
            output.line(f"The run took longer than {options.timeout:g} seconds and was stopped.".encode())
            verdict = TOO_LONG
        if (verdict or stop.is_set()) and not asked:
            asked = signal_group(child, signal.SIGTERM)
        time.sleep(TICK_S)
    signal_group(child, signal.SIGKILL)
    events.tell()
    if verdict or (stop.is_set() and child.returncode):
        return verdict or STOPPED  # launchers of several processes have codes of their own for a TERM
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


class Events:
    """Whole lines that appeared in events.jsonl since the last look."""

    def __init__(self, path: Path, output: Output) -> None:
        self.path, self.output = path, output
        self.offset = path.stat().st_size if path.exists() else 0

    def tell(self) -> None:
        """Print them for the studio."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            block = stream.read()
        whole = block[: block.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            self.output.tell("event", line.decode("utf-8", "replace"))


def superseded(options: argparse.Namespace) -> bool:
    """Whether a later attempt took over; a fence that cannot be read stops nothing."""
    try:
        return bool(options.fence) and int(Path(options.fence).read_text()) > options.attempt
    except (OSError, ValueError):
        return False


def signal_group(child: subprocess.Popen[bytes], number: int) -> bool:
    """Signal whatever is left of the job's group."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    return True


def deliver(options: argparse.Namespace, folder: Path, output: Output, code: int) -> int:
    """Hand the results over where nobody else can see our folder."""
    if not options.deliver or code not in ENDS_OF_A_JOB:
        return code
    packed = pack(folder, whole=code == 0)
    if options.deliver != "log":
        from huggingface_hub import HfApi

        repository, _, path = options.deliver.partition(":")
        HfApi().upload_file(path_or_fileobj=packed, path_in_repo=path, repo_id=repository, repo_type="dataset")
        return code
    if len(packed) > LARGEST_IN_LOG:
        output.tell("toolarge", str(len(packed)))
        return UNDELIVERED
    for at in range(0, len(packed), CHUNK):
        output.tell("results", base64.b64encode(packed[at : at + CHUNK]).decode())
    output.tell("end", str(len(packed)))
    return code


def pack(folder: Path, whole: bool) -> bytes:
    """A zip of the results; of an unfinished run only what it says about itself."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path in files(folder, RESULTS if whole else TOLD):
            packed.write(path, str(path.relative_to(folder)))
    return buffer.getvalue()


def files(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Plain files among these names, sorted. Weights hardly compress, so nobody tries."""
    for name in names:
        found = folder / name
        yield from [found] if found.is_file() else sorted(path for path in found.rglob("*") if path.is_file())


def record(state: str, code: int) -> int:
    """Leave the exit code on disk, for somebody who is not our parent."""
    if state:
        write(state, "exit.json", {"code": code, "at": time.time()})
    return code


def write(folder: str, name: str, facts: dict[str, object]) -> None:
    """Whole or not at all."""
    part = Path(folder) / f".{name}.{os.getpid()}"
    part.write_text(json.dumps(facts))
    part.replace(Path(folder) / name)


def start_time(pid: int) -> str:
    """Clock ticks after boot at which the process started; with the pid it names a process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
