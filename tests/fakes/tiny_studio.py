"""`studio up` with two tiny children instead of the studio's own: `python -m tests.fakes.tiny_studio [stubborn]`."""

from __future__ import annotations

import sys
from pathlib import Path

from studio.errors import StudioError
from studio.settings import Settings
from studio.supervisor import Child
from studio.up import run

TINY = str(Path(__file__).with_name("tiny_child.py"))


def children(settings: Settings) -> list[Child]:
    """A server and something that only lives."""
    port = settings.web_port
    web = [sys.executable, TINY, "web", str(port)]
    return [
        Child("web", web, {}, settings.web_url, port, "STUDIO_WEB_PORT"),
        Child("ticker", [sys.executable, TINY, "stubborn" if "stubborn" in sys.argv else "ticker"]),
    ]


if __name__ == "__main__":
    try:
        run(Settings(), children, lambda _settings: ["the one-time link"])
    except StudioError as error:
        sys.exit(error.message)
