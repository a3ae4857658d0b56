"""Uploads go straight to disk, from people who may, from the app itself."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from storage.tables import Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.errors import InvalidInput, NotFound, StorageFull
from studio.ui.gate import COOKIE
from studio.ui.uploads import Uploads, save_stream
from tests.unit.ui.conftest import Browser

HERE = {"sec-fetch-site": "same-origin"}
LINE = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}\n'


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=Uploads(studio).routes())) as client:
        yield client


@pytest.fixture
def open_project(studio: Studio) -> Project:
    return studio.projects.create(Actor.operator(), "support")


def files_in(studio: Studio) -> list[Path]:
    folder = studio.settings.root / "uploads"
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_a_file_lands_on_disk_for_the_one_who_sent_it(
    client: TestClient, studio: Studio, browser_of: Callable[[Role], Browser], open_project: Project
) -> None:
    editor, other = browser_of(Role.EDITOR), browser_of(Role.ADMIN)
    client.cookies.set(COOKIE, editor.token)
    query = {"project": open_project.id, "name": "C:\\logs\\calls.jsonl"}
    answer = client.post("/upload", params=query, content=LINE * 100, headers=HERE)
    assert answer.status_code == 200, answer.text
    actor = studio.people.actor_for(editor.token)
    stranger = studio.people.actor_for(other.token)
    assert actor and stranger
    upload = studio.imports.upload(actor, open_project.id, answer.json()["upload"])
    assert (upload.name, upload.by) == ("calls.jsonl", actor.username)
    assert upload.path.read_bytes() == LINE * 100
    elsewhere = studio.projects.create(Actor.operator(), "another")
    for who, where, which in [
        (stranger, open_project.id, upload.id),
        (actor, elsewhere.id, upload.id),
        (actor, open_project.id, "../" + upload.id),
        (actor, open_project.id, "0" * 32),
    ]:
        with pytest.raises(NotFound, match="Upload it again"):
            studio.imports.upload(who, where, which)


@pytest.mark.parametrize(
    ("role", "headers", "status", "why"),
    [
        (Role.VIEWER, HERE, 403, "needs the role editor"),
        (Role.LABELER, HERE, 403, "needs the role editor"),
        (Role.EDITOR, {"sec-fetch-site": "cross-site"}, 403, "from the Capture page"),
        (Role.EDITOR, {}, 403, "from the Capture page"),
        (None, HERE, 401, "signed out"),
    ],
)
def test_others_and_other_sites_are_refused_and_leave_nothing_on_disk(
    client: TestClient,
    studio: Studio,
    browser_of: Callable[[Role], Browser],
    open_project: Project,
    role: Role | None,
    headers: dict[str, str],
    status: int,
    why: str,
) -> None:
    if role:
        client.cookies.set(COOKIE, browser_of(role).token)
    answer = client.post("/upload", params={"project": open_project.id}, content=LINE, headers=headers)
    assert answer.status_code == status and why in answer.json()["error"]
    assert files_in(studio) == []


@pytest.mark.parametrize(("project", "body", "why"), [("gone", LINE, "does not exist"), ("", b"", "is empty")])
def test_what_cannot_be_taken_is_explained_and_removed(
    client: TestClient,
    studio: Studio,
    browser_of: Callable[[Role], Browser],
    open_project: Project,
    project: str,
    body: bytes,
    why: str,
) -> None:
    client.cookies.set(COOKIE, browser_of(Role.EDITOR).token)
    query = {"project": project or open_project.id, "name": "calls.jsonl"}
    answer = client.post("/upload", params=query, content=body, headers=HERE)
    assert answer.status_code == 400 and why in answer.json()["error"]
    assert files_in(studio) == []


def test_memory_stays_flat_however_large_the_file(tmp_path: Path) -> None:
    chunk = b"x" * 65_536

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield chunk

    tracemalloc.start()
    size = anyio.run(save_stream, chunks(), tmp_path / "big")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 64 << 20 == (tmp_path / "big").stat().st_size
    assert peak < 8 << 20


def test_a_file_larger_than_the_disk_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        raise AssertionError("nothing may be read")
        yield b""

    with pytest.raises(StorageFull, match="no room"):
        anyio.run(save_stream, chunks(), tmp_path / "big", 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_stream_is_no_file(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(InvalidInput, match="empty"):
        anyio.run(save_stream, chunks(), tmp_path / "empty")
