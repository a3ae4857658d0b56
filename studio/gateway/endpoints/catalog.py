"""All endpoints that ask a model."""

from __future__ import annotations

from studio.gateway.endpoints.chat import CHAT
from studio.gateway.endpoints.completions import COMPLETIONS
from studio.gateway.endpoints.embeddings import EMBEDDINGS
from studio.gateway.endpoints.endpoint import Endpoint
from studio.gateway.endpoints.messages import COUNT_TOKENS, MESSAGES
from studio.gateway.endpoints.responses import RESPONSES

ENDPOINTS: tuple[Endpoint, ...] = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, COUNT_TOKENS)
