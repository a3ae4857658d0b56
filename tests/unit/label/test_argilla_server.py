"""Parts of the server's launcher that need no argilla-server: query parsing, pins, secrets, the job stand-in."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "studio/label/argilla_server"


@pytest.fixture(scope="module", autouse=True)
def on_the_path() -> Iterator[None]:
    """The launcher runs as a file, so its folder is where it imports from."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in [name for name in sys.modules if name.split(".")[0] == "embedded"]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"embedded.{name}")


@pytest.mark.parametrize(
    ("typed", "shape"),
    [
        ("late parcel", ("and", ["late", "parcel"])),
        ("late | lost", ("or", ["late", "lost"])),
        ('"late parcel"', "late parcel"),
        ("par*", "par*"),
        ("late -lost", ("and", ["late", ("not", "lost")])),
        ("(a | b) c", ("and", [("or", ["a", "b"]), "c"])),
        ("旅馆", "旅 馆"),
        ("red-hot", "red hot"),
        ("", None),
        ('((( | ") -', None),
        ("a)b", "a"),
    ],
)
def test_what_people_type_is_read_as_elasticsearch_would(typed: str, shape: Any) -> None:
    assert told(module("querytext").parse(typed)) == shape


def told(node: Any) -> Any:
    kind = type(node).__name__
    if kind == "Phrase":
        return " ".join(node.words) + ("*" if node.prefix else "")
    if kind == "Not":
        return "not", told(node.node)
    return (node.kind, [told(each) for each in node.nodes]) if kind == "Group" else None


@pytest.mark.parametrize(
    "text", ['"' * 50, "(" * 200, "-" * 99, "a |" * 50, "\x00\ud800", "NEAR(a b) AND NOT c", "a:b^2"]
)
def test_no_text_breaks_the_parser(text: str) -> None:
    module("querytext").positive_phrases(module("querytext").parse(text))


def test_another_argilla_is_refused_with_what_to_do() -> None:
    pins = module("pins")
    with pytest.raises(SystemExit, match=r"needs argilla-server 2\.8\.0"):
        pins.check_version()  # there is none in this environment
    with pytest.raises(SystemExit, match="json:gone, nowhere:at_all"):
        pins.check_names(("json:loads", "json:gone", "nowhere:at_all"))
    pins.check_names(("json:loads", "json:JSONDecoder.decode"))


def test_secrets_are_made_once_for_this_user_only(tmp_path: Path) -> None:
    keep = module("environment").keep_secret
    first = keep(tmp_path / "secret_key")
    assert keep(tmp_path / "secret_key") == first != keep(tmp_path / "other") and len(first) >= 32
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_environment_keeps_argilla_offline_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = module("environment")
    found: dict[str, str] = {}
    monkeypatch.setattr(environment.os, "environ", found)
    environment.prepare(tmp_path / "home")
    assert found["ARGILLA_SEARCH_ENGINE"] == "sql" and found["ARGILLA_DATABASE_URL"].startswith("sqlite+aiosqlite:///")
    assert found["HF_HUB_DISABLE_TELEMETRY"] == "1" and found["ARGILLA_CORS_ORIGINS"] == "[]"
    assert found["ARGILLA_AUTH_SECRET_KEY"] == (tmp_path / "home" / "secret_key").read_text()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert environment.runs_jobs_itself()


def test_a_failing_job_is_tried_again_as_its_queue_asked_and_then_given_up() -> None:
    jobs = module("jobs").LocalJobs
    tries: list[int] = []

    async def fails() -> None:
        tries.append(len(tries))
        raise ConnectionError("nobody listens")

    async def twice_works() -> None:
        tries.append(len(tries))
        if len(tries) < 2:
            raise ConnectionError("not yet")

    async def run(func: Any) -> str:
        tries.clear()
        func.__name__ = "update_dataset_records_status_job"
        job = jobs.enqueue_call(func, retry=SimpleNamespace(max=2, intervals=[0, 0]))
        while job.status not in ("finished", "failed"):
            await asyncio.sleep(0.005)
        assert jobs.jobs[job.id] is job
        return str(job.status)

    assert asyncio.run(run(fails)) == "failed" and len(tries) == 3
    assert asyncio.run(run(twice_works)) == "finished" and len(tries) == 2


@pytest.mark.parametrize(
    ("host", "address", "framed_by"),
    [
        ("127.0.0.1:6900", "", "http://127.0.0.1:8501"),
        ("127.0.0.1:6900", "", "http://localhost:8501"),
        ("studio.lan:6900", "", "http://studio.lan:8501"),
        ("studio.lan:6900", "https://label.example.com/", "https://label.example.com"),
    ],
)
def test_the_studio_may_frame_argilla(host: str, address: str, framed_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_WEB_PORT", "8501")
    monkeypatch.setenv("STUDIO_WEB_ADDRESS", address)
    _name, policy = module("browser_policy").policy_for({"headers": [(b"host", host.encode())]})
    assert framed_by.encode() in policy.split(b"frame-ancestors ")[1].split()


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "", "x' 'unsafe-inline"])
def test_a_forged_host_adds_nothing_to_the_policy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_WEB_PORT", "8501")
    monkeypatch.delenv("STUDIO_WEB_ADDRESS", raising=False)
    _name, policy = module("browser_policy").policy_for({"headers": [(b"host", host.encode())]})
    assert policy.endswith(b"frame-ancestors 'self'")
