"""Which processes the studio consists of, and what the operator is told about them."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from studio.errors import Conflict
from studio.ports import holder, is_free
from studio.settings import Settings
from studio.up import LAUNCH_ARGILLA, addresses, children, prepare, refuse_taken_ports


@pytest.fixture
def with_argilla(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", argilla_python=Path(sys.executable))


def test_every_process_has_a_port_to_check_or_none(with_argilla: Settings) -> None:
    found = {child.name: (child.port, child.setting) for child in children(with_argilla)}
    assert found == {
        "web": (8501, "STUDIO_WEB_PORT"),
        "gateway": (8600, "STUDIO_GATEWAY_PORT"),
        "recorder": (0, ""),
        "worker": (0, ""),
        "argilla": (6900, "STUDIO_ARGILLA_PORT"),
        "sample": (8650, "STUDIO_SAMPLE_PORT"),
    }


def test_argilla_runs_as_a_file_in_its_own_environment(with_argilla: Settings) -> None:
    argilla = next(child for child in children(with_argilla) if child.name == "argilla")
    assert list(argilla.argv[:2]) == [sys.executable, str(LAUNCH_ARGILLA)] and LAUNCH_ARGILLA.is_file()


def test_what_is_switched_off_is_not_started(with_argilla: Settings) -> None:
    external = Settings(home=with_argilla.home, argilla_url="https://labels.example.com", sample_port=0)
    assert [child.name for child in children(external)] == ["web", "gateway", "recorder", "worker"]
    assert "  Labeling  https://labels.example.com" in addresses(external)


def test_a_missing_argilla_is_said_and_stops_nothing_else(tmp_path: Path) -> None:
    without = Settings(home=tmp_path, argilla_python=tmp_path / "nowhere")
    assert "argilla" not in [child.name for child in children(without)]
    assert any("off:" in line and "make run" in line for line in addresses(without))


def test_children_see_the_settings_whatever_folder_they_run_in(with_argilla: Settings) -> None:
    for child in children(with_argilla):
        assert child.env["STUDIO_HOME"] == str(with_argilla.root)
        assert (Path(child.env["PYTHONPATH"].split(":")[0]) / "studio" / "up.py").is_file()


def test_the_first_start_makes_an_admin_with_a_link_and_later_starts_do_not(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", web_port=8999)
    first = "\n".join(prepare(settings))
    assert "admin" in first and "http://127.0.0.1:8999/auth/link?token=" in first
    assert prepare(settings) == []


def test_every_taken_port_is_named_at_once(with_argilla: Settings) -> None:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
            each.listen()
        first, second = one.getsockname()[1], two.getsockname()[1]
        taken = Settings(home=with_argilla.home, web_port=first, gateway_port=second, argilla_url="x", sample_port=0)
        with pytest.raises(Conflict) as refused:
            refuse_taken_ports(taken, children(taken))
        assert not is_free("127.0.0.1", first) and "python" in holder(first)
    message = refused.value.message
    assert f"Port {first} (web)" in message and f"Port {second} (gateway)" in message
    assert is_free("127.0.0.1", first) and holder(first) == ""
