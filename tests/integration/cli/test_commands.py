"""The command line as an operator types it: each command in a process of its own, jobs done by a real worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.settings import Settings
from tests.fakes.studio_process import ROOT, running_studio, settings_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A studio of which only the worker runs."""
    chosen = settings_in(tmp_path_factory.mktemp("cli"))
    with running_studio(chosen, [("studio.worker",)], []):
        yield chosen


def studio(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    """What `studio <words>` printed and how it ended."""
    argv = [sys.executable, "-m", "studio.cli", *words]
    environment = {**os.environ, **settings.environment()}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def said(settings: Settings, *words: str) -> str:
    """What a command that succeeds printed."""
    done = studio(settings, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_of_calls_goes_in_and_becomes_a_frozen_version(settings: Settings, tmp_path: Path) -> None:
    assert said(settings, "key", "support", "laptop").startswith("wk-")
    assert "support" in said(settings, "projects")

    rows = [{"prompt": f"ticket {n}", "completion": "billing"} for n in range(40)]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), '{"prompt": [bold]', json.dumps({"completion": "x"})]))
    told = said(settings, "import", str(path))
    assert "Imported 40 calls; 0 already there, 2 refused." in told
    assert "line 41: " in told and "line 42: " in told
    assert "Imported 0 calls; 40 already there, 2 refused." in said(settings, "import", str(path))

    assert "new 40" in said(settings, "curate", "triage")
    assert "number 1" in said(settings, "freeze", "triage", "--note", "first")
    assert "is new no" in said(settings, "freeze", "triage")
    assert "Freeze" in said(settings, "jobs")


def test_people_are_invited_and_let_in_again(settings: Settings) -> None:
    invited = said(settings, "person", "mia", "--role", "labeler")
    again = said(settings, "sign-in-link", "mia")
    assert invited.startswith(f"{settings.web_url}/auth/link?token=")
    assert again.startswith(f"{settings.web_url}/auth/link?token=") and again != invited


def test_migrating_an_empty_database_makes_the_first_admin_once(tmp_path: Path) -> None:
    fresh = settings_in(tmp_path / "new")
    first, second = said(fresh, "migrate"), said(fresh, "migrate")
    assert "sign in as admin" in first and "/auth/link?token=" in first and "revision" in first
    assert "/auth/link" not in second and "revision" in second


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("freeze", "nothing", "--project", "nowhere"), "Name the project with --project. There are: "),
        (("import", "/nowhere/calls.jsonl", "--project", "errors"), "calls.jsonl"),
        (("freeze", "nothing", "--project", "errors"), "Make one with `studio curate nothing`."),
        (("undo", "triage", "--project", "errors"), "No deployment answers to 'triage'"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_failing_exit(
    settings: Settings, words: tuple[str, ...], sentence: str
) -> None:
    said(settings, "key", "errors", "laptop")
    done = studio(settings, *words)
    assert done.returncode == 1
    assert sentence in done.stderr and "Traceback" not in done.stderr
