"""Runs the gateway process: `python -m studio.gateway`."""

from __future__ import annotations

import base64
import gc
import logging
import resource
import sys

from storage.database import Database
from studio.access.keys import ApiKeys
from studio.access.secrets import OpenedOnce, SecretBox
from studio.deploy.router import RoutingTable
from studio.gateway.app import Gateway
from studio.gateway.compose import build_gateway
from studio.gateway.hints import SyncHint
from studio.gateway.processes import ONE_OF_SEVERAL, end_with_parent, keep_running
from studio.gateway.server.serving import run
from studio.settings import Settings

GC_THRESHOLDS = (20_000, 50, 50)
SWITCH_S = 0.001
"""How long the table's loading may keep calls waiting; Python's own 5 ms would show in the 99th percentile."""


def build(settings: Settings) -> Gateway:
    """The gateway on this installation's database."""
    database, secrets = Database(settings.database), OpenedOnce(SecretBox(settings.secrets))
    return build_gateway(
        settings,
        keys=ApiKeys(database),
        load_table=lambda: RoutingTable.load(database, secrets),
        on_argilla=SyncHint(settings.sync_hint),
        webhook_secret=lambda: embedded_webhook_secret(settings),
        database=database,
    )


def embedded_webhook_secret(settings: Settings) -> str:
    """The secret the embedded Argilla signs with, in the form of the Standard Webhooks specification."""
    path = settings.argilla_home / "webhook_secret"
    if settings.argilla_url or not path.exists():
        return ""
    return "whsec_" + base64.b64encode(path.read_bytes()).decode()


def main() -> None:
    """Read the settings and serve."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, is_shared = Settings(), ONE_OF_SEVERAL in sys.argv
    if is_shared:
        end_with_parent()
    elif settings.gateway_processes > 1:
        keep_running(settings.gateway_processes)
        return
    gateway = build(settings)
    be_quick()
    run(gateway, settings.host, settings.gateway_port, reuse_port=is_shared)


def be_quick() -> None:
    """Keep the garbage collector and other threads from making calls wait, and allow as many callers as there may be.

    Imports are never walked again by the collector.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


if __name__ == "__main__":
    main()
