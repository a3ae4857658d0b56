"""The web process: `python -m studio.ui.server`. Streamlit, the sign-in gate in front of it, and a few routes."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from storage.types import new_id, now
from studio.bootstrap import Studio
from studio.errors import StudioError
from studio.ports import holder, is_free
from studio.settings import Settings
from studio.ui.argilla_door import ArgillaDoor
from studio.ui.downloads import Downloads
from studio.ui.gate import AuthGate
from studio.ui.sign_in import SignInPages
from studio.ui.uploads import Uploads

HERE = Path(__file__).resolve().parent
REFREEZE_S = 600.0
FIRST_USE = (  # imported on first use otherwise, which cost seconds on a cold page
    "pandas",
    "pyarrow",
    "streamlit.dataframe_util",
    "streamlit.elements.arrow",
    "streamlit.elements.echarts_chart",
    "streamlit.components.v2",
    "studio.ui.charts",
    "studio.ui.components",
    "studio.ui.sidebar",
)
log = logging.getLogger("whetstone.web")


def build_app(settings: Settings) -> st.App:
    """The whole web app as one ASGI application."""
    from studio.ui.state import current_studio

    studio = current_studio()
    pages = SignInPages(studio.people, settings.cookie_secure)
    return st.App(
        HERE / "app.py",
        routes=[
            *pages.routes(),
            *Uploads(studio).routes(),
            *Downloads(studio).routes(),
            *ArgillaDoor(studio).routes(),
            Route("/health", health),
            Route("/favicon.png", favicon),
        ],
        middleware=[Middleware(AuthGate, people=studio.people)],
        lifespan=lifespan,
        on_script_error=tell_of_failure,
    )


async def health(_request: Request) -> Response:
    """That the process answers."""
    return JSONResponse({"ok": True})


async def favicon(_request: Request) -> Response:
    """The icon of the browser tab, before the app has loaded too."""
    return FileResponse(HERE / "assets" / "icon.png", headers={"Cache-Control": "public, max-age=86400"})


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Warm up before the first visitor, then keep the garbage collector's work small."""
    await run_in_threadpool(warm_up)
    task = asyncio.create_task(freeze_again_and_again())
    try:
        yield {}
    finally:
        task.cancel()


def warm_up() -> None:
    """Import and query what the first page would, then freeze: Streamlit collects garbage after every rerun, and
    without this each one walks every imported object.
    """
    from studio.ui.state import current_studio

    for name in FIRST_USE:
        import_module(name)
    _first_queries(current_studio())
    gc.collect()
    gc.freeze()


def _first_queries(studio: Studio) -> None:
    for project in studio.projects.all()[:1]:
        studio.jobs.active(project.id)
        studio.logs.totals(project.id, now() - timedelta(days=7))


async def freeze_again_and_again() -> None:
    """Freeze what later imports added; unfreezing first lets dead cycles among the frozen go."""
    while True:
        await asyncio.sleep(REFREEZE_S)
        gc.unfreeze()
        gc.collect()
        gc.freeze()


def tell_of_failure(error: Exception) -> bool:
    """An error that is nobody's input: a sentence and a reference on screen, everything in the log."""
    reference = new_id()[-8:]
    log.error("page failed, reference %s", reference, exc_info=error)
    st.error(
        f"This page failed. Reload it; if it fails again, look for {reference} in the log of the web process.",
        icon=":material/error:",
        title="Something went wrong",
    )
    return True


def refuse_taken_port(host: str, port: int) -> None:
    """Leave with a sentence when another program listens on the port."""
    if not is_free(host, port):
        by = holder(port) or "another program"
        sys.exit(f"{host}:{port} is taken by {by}. Stop it, or choose another port with STUDIO_WEB_PORT.")


def main() -> None:
    """Serve until stopped."""
    settings = Settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    refuse_taken_port(settings.host, settings.web_port)
    try:
        app = build_app(settings)
    except StudioError as error:
        sys.exit(error.message)
    app.run(config={"server.port": settings.web_port, "server.address": settings.host})


if __name__ == "__main__":
    main()
