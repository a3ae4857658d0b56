"""The server's own database: WAL on SQLite, schema at the newest version, the studio's service account, webhooks."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from .environment import keep_secret

SERVICE_USER = "whetstone-service"
"""Owner account of the studio itself; no person may sign in as it."""
WEBHOOK_EVENTS = ["response.created", "response.updated", "response.deleted", "record.completed"]


def use_wal() -> None:
    """Let annotators read while somebody writes (SQLite only)."""
    import sqlalchemy.event
    from argilla_server.settings import settings
    from sqlalchemy.engine import Engine

    if not settings.database_is_sqlite:
        return

    @sqlalchemy.event.listens_for(Engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()


def migrate_and_seed(home: Path, webhook_url: str = "") -> None:
    """Bring the schema up to date, then make the service account and the webhook if they are not there yet."""
    import alembic.config
    from argilla_server.database import ALEMBIC_CONFIG_FILE

    alembic.config.main(argv=["-c", ALEMBIC_CONFIG_FILE, "upgrade", "head"])
    asyncio.run(_seed(home, webhook_url))


async def _seed(home: Path, webhook_url: str) -> None:
    from argilla_server.database import AsyncSessionLocal, async_engine

    async with AsyncSessionLocal() as db:
        await _seed_service_user(db, keep_secret(home / "api_key"))
        if webhook_url:
            await _seed_webhook(db, webhook_url, home / "webhook_secret")
    await async_engine.dispose()


async def _seed_service_user(db: Any, api_key: str) -> None:
    from argilla_server.contexts import accounts
    from argilla_server.models import User, UserRole

    known = await accounts.get_user_by_username(db, SERVICE_USER)
    if known:
        if known.api_key != api_key:  # the key file was lost and made anew
            await known.update(db, api_key=api_key)
        return
    await User.create(
        db,
        first_name="Whetstone",
        username=SERVICE_USER,
        role=UserRole.owner,
        api_key=api_key,
        password_hash=accounts.hash_password(secrets.token_urlsafe(32)),  # nobody knows it: the key is the way in
        workspaces=[],
    )


async def _seed_webhook(db: Any, url: str, secret_file: Path) -> None:
    from argilla_server.contexts import webhooks
    from argilla_server.models import Webhook

    known = [hook for hook in await webhooks.list_webhooks(db) if hook.description == SERVICE_USER]
    for hook in known[1:]:
        await hook.delete(db)
    if known:
        await known[0].update(db, url=url, events=WEBHOOK_EVENTS, enabled=True)
        return
    secret = _webhook_secret(secret_file)
    await Webhook.create(db, url=url, secret=secret, events=WEBHOOK_EVENTS, description=SERVICE_USER)


def _webhook_secret(path: Path) -> str:
    """Standard Webhooks wants `whsec_` + base64."""
    import base64

    raw = keep_secret(path)
    return "whsec_" + base64.b64encode(raw.encode()).decode()
