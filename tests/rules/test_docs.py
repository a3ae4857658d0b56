"""Documentation that cannot rot: every setting, command and page is described, and the deployment files are valid."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import typer

from studio.cli.app import app
from studio.settings import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def commands() -> list[str]:
    return sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_setting_is_documented_with_its_meaning() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"`STUDIO_{name.upper()}`" in text, name
        assert field.description and field.description in text, name


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    assert [name for name in commands() if f"`studio {name}" not in text] == []


def test_the_readme_shows_the_two_commands_and_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make run" in text and "make test" in text
    for page in ("Capture", "Curate", "Label", "Review", "Train", "Evaluate", "Deploy", "Improve"):
        assert page in text


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} → {target}"


def test_the_compose_file_follows_the_compose_schema() -> None:
    check(["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"])


def test_the_dockerfile_passes_hadolint() -> None:
    check(["hadolint", "Dockerfile"])


def check(argv: list[str]) -> None:
    done = subprocess.run([BIN / argv[0], *argv[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_extension_point_is_documented() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    groups = {
        name
        for path in (ROOT / "studio").rglob("*.py")
        for name in re.findall(r'ENTRY_POINT_GROUP = "([\w.]+)"', path.read_text())
    }
    assert groups and [name for name in groups if f"`{name}`" not in text] == []
