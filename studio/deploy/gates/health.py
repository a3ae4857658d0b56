"""Health: the server says that it can answer."""

from __future__ import annotations

from studio.deploy.gates.port import Finding, Round


def health(judged: Round) -> Finding:
    """Pass when the health route says so."""
    evidence = {"endpoint": judged.client.endpoint}
    if judged.client.healthy():
        return True, evidence
    return False, {**evidence, "why": "The server does not say it is healthy. See the end of its log."}
