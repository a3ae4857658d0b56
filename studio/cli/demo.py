"""`studio demo`: one unattended turn of the loop, on a studio that is running or one started for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from studio.bootstrap import build_studio
from studio.cli.loop import show_evaluation
from studio.cli.terminal import say
from studio.errors import Unavailable
from studio.settings import Settings

PATIENCE_S = 180


def demo(
    calls: Annotated[int, typer.Option(help="Sample calls to capture.")] = 2100,
    labels: Annotated[int, typer.Option(help="Examples to send to the two teammates.")] = 60,
    keep: Annotated[bool, typer.Option(help="Leave the studio running afterwards if it was started here.")] = False,
) -> None:
    """Take the sample project round the loop once and print how the three models compare."""
    from studio.cli.turn import Turn

    settings = Settings()
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a studio started here is stopped
    with running_studio(settings, keep):
        studio = build_studio(settings)
        evaluation = Turn(studio, calls=calls, labels=labels).run()
        show_evaluation(studio, evaluation.id)
        say(f"\nOne turn in {time.monotonic() - started:.0f} s. Open {settings.web_url} to walk through it.")


@contextmanager
def running_studio(settings: Settings, keep: bool = False) -> Iterator[None]:
    """A studio that answers: the one already up on these ports, or one started and stopped here."""
    if _answers(settings):
        yield
        return
    log = settings.root / "demo.log"
    settings.root.mkdir(parents=True, exist_ok=True)
    say(f"Starting the studio; its log goes to {log}.")
    process = _start(log)
    try:
        _wait_until_up(settings, process, log)
        yield
    finally:
        if not keep:
            process.terminate()
            process.wait(60)


def _start(log: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "studio.cli", "up"]
    with log.open("ab") as stream:
        return subprocess.Popen(argv, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)


def _wait_until_up(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise Unavailable(f"The studio did not start. The end of {log}:\n{tail}")
        time.sleep(0.5)


def _answers(settings: Settings) -> bool:
    urls = [f"{settings.gateway_url}/health", f"{settings.web_url}/health"]
    if not settings.argilla_url:
        urls.append(f"http://127.0.0.1:{settings.argilla_port}/api/v1/version")
    if settings.sample_port:
        urls.append(f"{settings.sample_url}/health")
    try:
        return all(httpx.get(url, timeout=2).is_success for url in urls)
    except httpx.HTTPError:
        return False


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(demo)
