"""Identity: the server claims this revision's name, so it is not somebody else's on the same port."""

from __future__ import annotations

from studio.deploy.gates.port import Finding, Round


def identity(judged: Round) -> Finding:
    """Pass when the name is among those it claims."""
    expected, names = judged.client.name, judged.client.names()
    evidence = {"expected": expected, "found": names}
    if expected in names:
        return True, evidence
    claimed = f"answers as {', '.join(names)}" if names else "names no model"
    return False, {**evidence, "why": f"The server {claimed}, not as {expected}."}
