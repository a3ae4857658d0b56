"""The names of argilla-server this package relies on or replaces, checked before anything is touched."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from .speedups import NOTIFIERS

VERSION = "2.8.0"
NAMES = (
    "argilla_server.search_engine.base:SearchEngine.register",
    "argilla_server.database:AsyncSessionLocal",
    "argilla_server.database:ALEMBIC_CONFIG_FILE",
    "argilla_server.contexts.accounts:get_user_by_username",
    "argilla_server.contexts.accounts:hash_password",
    "argilla_server.contexts.datasets:get_user_dataset_metrics",
    "argilla_server.contexts.webhooks:list_enabled_webhooks",
    "argilla_server.webhooks.v1.commons:notify_event",
    "argilla_server.jobs.queues:DEFAULT_QUEUE.enqueue_call",
    "argilla_server.jobs.queues:HIGH_QUEUE.enqueue_call",
    "argilla_server.jobs.queues:REDIS_CONNECTION.ping",
    "argilla_server.api.handlers.v1.jobs:Job",
    *NOTIFIERS,
    "argilla_server.models.database:TypeAdapter",
)


class NotTheRightArgilla(SystemExit):
    """The installed argilla-server is not the one this launcher was made for."""


def check_version() -> None:
    """Stop with a sentence unless argilla-server is the pinned version."""
    try:
        found = version("argilla-server")
    except PackageNotFoundError:
        found = "none"
    if found != VERSION:
        raise NotTheRightArgilla(
            f"This launcher needs argilla-server {VERSION} and found {found}. "
            "Install studio/label/argilla_server/requirements.txt into its environment (make run does this)."
        )


def check_names(names: tuple[str, ...] = NAMES) -> None:
    """Stop with a sentence that lists every name that is gone."""
    missing = [name for name in names if not _exists(name)]
    if missing:
        raise NotTheRightArgilla(
            f"argilla-server {VERSION} lacks what this launcher replaces: {', '.join(missing)}. "
            "Reinstall studio/label/argilla_server/requirements.txt."
        )


def _exists(name: str) -> bool:
    module, _, path = name.partition(":")
    try:
        found: object = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return True
