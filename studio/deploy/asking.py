"""How a revision's server is asked: where it is, its name and key."""

from __future__ import annotations

from pathlib import Path

from storage.tables import Revision
from studio.access.secrets import SecretBox
from studio.deploy.client import ServerClient
from studio.settings import Settings


def client_for(settings: Settings, revision: Revision) -> ServerClient:
    """Questions to this revision's server, with its key."""
    sealed = str(revision.spec.get("encrypted_key", ""))
    key = SecretBox(settings.secrets).decrypt(sealed) if sealed else ""
    return ServerClient(revision.endpoint, str(revision.spec.get("served_name", "")), key, revision.dialect)


def server_folder(settings: Settings, revision_id: str) -> Path:
    """Where a revision's server keeps its key and log."""
    return settings.root / "servers" / revision_id
