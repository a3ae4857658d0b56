"""The environment of the server: Argilla's settings, and secrets made once and readable by this user only."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path


def keep_secret(path: Path, size: int = 32) -> str:
    """The secret in this file, made on first use with mode 0600."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    secret = secrets.token_urlsafe(size)
    with os.fdopen(handle, "w") as writer:
        writer.write(secret)
    return secret


def prepare(home: Path, *, database_url: str = "", base_url: str = "", origins: list[str] | None = None) -> None:
    """Set Argilla's variables; they are read when argilla_server is imported, so call this first.

    A search engine or Redis named in the environment is respected (the production set-up names both).
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = {
        "ARGILLA_HOME_PATH": str(home),
        "ARGILLA_DATABASE_URL": database_url or f"sqlite+aiosqlite:///{home}/argilla.db?check_same_thread=False",
        "ARGILLA_DATABASE_SQLITE_TIMEOUT": "30",
        "ARGILLA_AUTH_SECRET_KEY": keep_secret(home / "secret_key"),
        "ARGILLA_CORS_ORIGINS": json.dumps(origins or []),
        "ARGILLA_DOCS_ENABLED": "false",
        "ARGILLA_MAX_MESSAGE_LENGTH": "1000000",
        "ARGILLA_ENABLE_SHARE_YOUR_PROGRESS": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if base_url:
        own["ARGILLA_BASE_URL"] = base_url
    os.environ.update(own)
    os.environ.setdefault("ARGILLA_SEARCH_ENGINE", "sql")


def runs_jobs_itself() -> bool:
    """Whether background jobs run in this process, that is unless a Redis is named."""
    return not os.environ.get("ARGILLA_REDIS_URL")


def secret_key() -> str:
    """The key that signs Argilla's tokens, shared with the studio."""
    return os.environ["ARGILLA_AUTH_SECRET_KEY"]
