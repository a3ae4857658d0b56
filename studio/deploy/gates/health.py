"""Health: the server says that it can answer."""

from __future__ import annotations

from studio.deploy.gates.port import Finding, Round

TRIES = 5
"""A probe waits a second and a half; a machine with much to do may once be late, and that is no reason to refuse."""


def health(judged: Round) -> Finding:
    """Pass when the health route says so."""
    evidence = {"endpoint": judged.client.endpoint}
    if any(judged.client.healthy() for _try in range(TRIES)):
        return True, evidence
    return False, {**evidence, "why": "The server does not say it is healthy. See the end of its log."}
