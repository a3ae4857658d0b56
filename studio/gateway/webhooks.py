"""POST /webhooks/argilla: the labeling server says that something changed; a hint to look, never the truth itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from studio.gateway.errors import ApiError
from studio.gateway.http import Request, parse

MOST = 1 << 20
Hook = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)


class ArgillaEvents:
    """Checks the signature where there is a secret, and calls the hook.

    `secret` is asked at each event: the embedded server writes its secret at its own first start.
    """

    def __init__(self, hook: Hook, secret: Callable[[], str] = str) -> None:
        self._hook = hook
        self._secret = secret

    async def __call__(self, request: Request) -> None:
        """Take one event."""
        body = await request.body(MOST)
        secret = self._secret()
        if secret:
            self._verify(Webhook(secret), body, request)
        event = parse(body)
        self._hook(event if isinstance(event, dict) else {})
        await request.respond(204, [], b"")

    def _verify(self, webhook: Webhook, body: bytes, request: Request) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        try:
            webhook.verify(body, headers)
        except WebhookVerificationError as error:
            message = "The event's signature is wrong. Give Argilla's webhook the secret that the studio shows."
            raise ApiError(401, message, code="wrong_signature") from error
