"""The serving-parity certificate: what the golden and the template gate found, as one piece of evidence."""

from __future__ import annotations

import json
from typing import Any

LARGEST = 200_000
"""Bytes of JSON that a revision's row may carry."""
ALWAYS = 10
"""Rows kept however long they are."""


def certificate(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The proof in a revision's stored gates: {"passed", "prompts", "matches", "agreement", "rows", "diff", ...}.

    Empty while the golden gate has not been asked.
    """
    found = {record["gate"]: record for record in records}
    golden, template = found.get("golden"), found.get("template")
    if golden is None:
        return {}
    shown = (template or {}).get("evidence", {})
    return {
        **golden["evidence"],
        "passed": golden["passed"] and bool(template and template["passed"]),
        "diff": shown.get("diff", ""),
        "template": {name: value for name, value in shown.items() if name != "diff"},
        "at": golden["at"],
    }


def bounded(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence that fits its row: rows that say the same as expected go first when it does not."""
    rows = evidence.get("rows")
    if not rows or len(json.dumps(evidence)) <= LARGEST:
        return evidence
    ranked = sorted(range(len(rows)), key=lambda at: (rows[at].get("matches_tuned") is not False, at))
    while len(ranked) > ALWAYS and len(json.dumps([rows[at] for at in ranked])) > LARGEST // 2:
        ranked = ranked[: max(ALWAYS, len(ranked) // 2)]
    return evidence | {"rows": [rows[at] for at in sorted(ranked)], "rows_left_out": len(rows) - len(ranked)}
