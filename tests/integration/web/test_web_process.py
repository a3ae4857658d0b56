"""The web process as it is started: what it refuses, what it keeps apart, what it never loads."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from storage.database import Database
from studio.access.actor import Actor
from studio.access.people import People
from studio.access.secrets import SecretBox
from studio.ui.gate import COOKIE
from tests.fakes.studio_process import PASSWORD, ROOT, RunningStudio, make_admin, running_studio, settings_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    settings = settings_in(tmp_path_factory.mktemp("web") / "home")
    with running_studio(settings, [("studio.ui.server",)], [f"{settings.web_url}/health"]) as running:
        yield running


def cookie_of(web: RunningStudio, username: str) -> str:
    """Sign in through the form and return the cookie."""
    with httpx.Client(base_url=web.url, follow_redirects=False) as client:
        page = client.get("/auth/login")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        form = {"username": username, "password": PASSWORD, "csrf": csrf[1], "next": "/"}
        assert client.post("/auth/login", data=form).status_code == 303
        return f"{COOKIE}={client.cookies[COOKIE]}"


def in_its_own_loop(page: Coroutine[None, None, str]) -> str:
    """Run it in a thread, because a browser test before may have left a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, page).result()


async def run_page(web: RunningStudio, cookie: str, session: str | None = None, **headers: str) -> str:
    """Open the app's WebSocket as a browser does, run the first page to its end, and return the session's id."""
    url = web.url.replace("http", "ws") + "/_stcore/stream"
    protocols = ["streamlit", *(["x", session] if session else [])]
    async with websockets.connect(
        url, additional_headers={"cookie": cookie, **headers}, subprotocols=protocols, max_size=None
    ) as socket_:
        ask = BackMsg()
        ask.rerun_script.page_name = ""
        await socket_.send(ask.SerializeToString())
        found = ""
        while True:
            said = ForwardMsg()
            said.ParseFromString(await asyncio.wait_for(socket_.recv(), 60))
            if said.WhichOneof("type") == "new_session":
                found = said.new_session.initialize.session_id
            if said.WhichOneof("type") == "script_finished":
                return found


def test_nobody_can_resume_the_live_session_of_another_person(web: RunningStudio) -> None:
    database = Database(web.settings.database)
    people = People(database, SecretBox(web.settings.secrets))
    people.create(Actor.operator(), "eve", PASSWORD, "viewer")
    database.close()
    admin, eve = cookie_of(web, "admin"), cookie_of(web, "eve")
    session = in_its_own_loop(run_page(web, admin))
    spoofed = {"x-whetstone-user": "admin"}
    assert in_its_own_loop(run_page(web, eve, session, **spoofed)) != session
    assert in_its_own_loop(run_page(web, admin, session)) == session


def test_a_websocket_without_a_sign_in_is_refused(web: RunningStudio) -> None:
    for cookie, headers in (("", {}), ("", {"x-whetstone-user": "admin"}), (f"{COOKIE}=guess", {})):
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            in_its_own_loop(run_page(web, cookie, **headers))
        assert refused.value.response.status_code == 403


def test_after_a_page_ran_the_process_has_loaded_no_training_library(web: RunningStudio) -> None:
    in_its_own_loop(run_page(web, cookie_of(web, "admin")))
    maps = Path(f"/proc/{web.pids[0]}/maps").read_text()
    assert "pyarrow" in maps  # the file does list what Python loaded
    assert not re.search(r"torch|transformers|bitsandbytes|/peft/", maps)


def test_no_page_or_view_imports_a_training_library() -> None:
    code = (
        "import sys, pathlib, importlib, pkgutil, studio.ui.server, studio.ui as ui\n"
        "names = [m.name for m in pkgutil.walk_packages(ui.__path__, 'studio.ui.') if m.name != 'studio.ui.app']\n"
        "[importlib.import_module(name) for name in names]\n"
        "imports = [line for page in pathlib.Path('pages').glob('*.py') for line in page.read_text().splitlines()\n"
        "           if line.startswith(('import studio', 'from studio', 'from storage'))]\n"
        "[exec(line) for line in imports if not line.endswith('(')]\n"
        "heavy = {'torch', 'transformers', 'trl', 'peft', 'datasets', 'accelerate'} & set(sys.modules)\n"
        "assert not heavy and len(names) > 15 and imports, (heavy, names)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_the_sign_in_page_needs_is_served_and_nothing_else(web: RunningStudio) -> None:
    for path in ("/app/static/inter-latin-wght-normal.woff2", "/favicon.png", "/health", "/auth/login"):
        assert httpx.get(web.url + path).status_code == 200, path
    for path in ("/", "/settings", "/_stcore/metrics", "/media/x.png", "/app/static/../app.py", "/upload"):
        assert httpx.get(web.url + path).status_code == 401, path


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    make_admin(settings)
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.web_port))
        other.listen()
        done = _run_server(settings.environment())
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"127.0.0.1:{settings.web_port} is taken by" in done.stderr and "STUDIO_WEB_PORT" in done.stderr


def test_a_key_file_others_can_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    make_admin(settings)
    (settings.secrets / "master.key").chmod(0o644)
    done = _run_server(settings.environment())
    assert done.returncode == 1 and "Traceback" not in done.stderr and "chmod 600" in done.stderr


def _run_server(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "studio.ui.server"]
    env = {**os.environ, **environment}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
