"""The serving-parity certificate: a sentence for a founder, tables and diffs for whoever wants to look closer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Revision
from studio.ui.formats import milliseconds, percent, plain
from studio.ui.train.unfold import unfold

Evidence = Mapping[str, Any]
GATES = {
    "health": "The server says it is healthy",
    "identity": "It answers to this revision's name",
    "golden": "It gives the tuned model's answers, not the base's",
    "template": "It makes the same prompts as training did",
    "smoke": "Your test prompts get the answers you want",
    "latency": "It is about as fast as what answers now",
    "override": "Overridden by an admin",
}
TOLD_ELSEWHERE = frozenset({"why", "rows", "diff", "trained", "served", "first_divergence"})
WHOLE_DIFF = 20_000
CAUSES = {"tie": "rounding", "other": "other weights, prompt or sampling"}


def certificate(revision: Revision) -> None:
    """Every gate in order, red ones open."""
    for entry in revision.certificate:
        _gate(revision, entry)


def certificate_sentence(revision: Revision) -> str:
    """What the golden answers proved; empty before they were asked for."""
    golden = next((entry for entry in revision.certificate if entry["gate"] == "golden"), None)
    return golden_sentence(golden["evidence"]) if golden and golden["evidence"].get("prompts") else ""


def golden_sentence(evidence: Evidence) -> str:
    """49 of 50 golden answers are the tuned model's; the first difference is at token 7 of prompt 12."""
    told = f"{evidence.get('matches', 0)} of {evidence['prompts']} golden answers are the tuned model's"
    return f"{told}{_first_difference(evidence)}{_agreement(evidence)}."


def _first_difference(evidence: Evidence) -> str:
    first = evidence.get("first_divergence") or {}
    if first.get("at") is None:
        return ""
    why = ", where rounding may choose either" if first.get("cause") == "tie" else ""
    return f"; the first difference is at token {first['at'] + 1} of prompt {_number(evidence, first)}{why}"


def _number(evidence: Evidence, first: Evidence) -> int | str:
    """Which row it is; recordings cut prompts short, so its place counts too."""
    same = (
        number
        for number, row in enumerate(evidence.get("rows") or [], 1)
        if (row.get("prompt"), row.get("diverges_at")) == (first.get("prompt"), first["at"])
    )
    return next(same, "?")


def _agreement(evidence: Evidence) -> str:
    share = evidence.get("agreement")
    return f"; {percent(share)} of their tokens agree" if isinstance(share, int | float) else ""


def _gate(revision: Revision, entry: Evidence) -> None:
    gate, passed, evidence = str(entry["gate"]), bool(entry["passed"]), entry["evidence"]
    icon = "check_circle" if passed else "cancel"
    key = f"gate_{gate}_{revision.id}"
    with unfold(GATES.get(gate, plain(gate)), icon=icon, key=key, expanded=not passed) as opened:
        if opened:
            _details(gate, evidence, key)


def _details(gate: str, evidence: Evidence, key: str) -> None:
    if evidence.get("agreement") is not None:
        st.text(golden_sentence(evidence))
    if evidence.get("why"):
        st.text(str(evidence["why"]))
    if rows := evidence.get("rows"):
        table = pd.DataFrame([_row(number, row) for number, row in _different_first(rows)])
        widths = {"Prompt": st.column_config.TextColumn(width="medium")}
        st.dataframe(table, hide_index=True, width="stretch", key=f"{key}_rows", column_config=widths)
    _diff(evidence)
    others = {name: value for name, value in evidence.items() if name not in TOLD_ELSEWHERE}
    if others:
        st.json(others, expanded=False)


def _different_first(rows: Sequence[Evidence]) -> list[tuple[int, Evidence]]:
    """Numbered as they were asked; what differs or fails is on top."""
    numbered = list(enumerate(rows, 1))
    return sorted(numbered, key=lambda each: not (each[1].get("faults") or each[1].get("diverges_at") is not None))


def _diff(evidence: Evidence) -> None:
    if evidence.get("diff"):
        st.caption("The prompt as training made it (−) and as the server makes it (+)")
        st.code(str(evidence["diff"])[:WHOLE_DIFF], language="diff", wrap_lines=True)
        return
    for name, said in (("trained", "The prompt as training made it"), ("served", "As the server makes it")):
        if evidence.get(name):
            st.caption(said)
            st.code(str(evidence[name])[:WHOLE_DIFF], language=None, wrap_lines=True)


def _row(number: int, row: Evidence) -> dict[str, Any]:
    if "prompt" not in row:
        return dict(row)
    name = {"Name": row["name"]} if row.get("name") else {}
    told = {"#": number, **name, "Prompt": row["prompt"], **_whose(row), **_differs(row), **_texts(row)}
    took = {"Took": milliseconds(row["ms"])} if row.get("ms") is not None else {}
    return told | ({"Faults": ", ".join(row["faults"])} if "faults" in row else {}) | took


def _whose(row: Evidence) -> dict[str, str]:
    if "matches_tuned" not in row:
        return {}
    return {"Answers like": "tuned" if row["matches_tuned"] else "base" if row.get("matches_base") else "neither"}


def _differs(row: Evidence) -> dict[str, Any]:
    if "diverges_at" not in row:
        return {}
    at = row["diverges_at"]
    return {"Differs at token": "" if at is None else str(at + 1), "Why": CAUSES.get(str(row.get("cause")), "")}


def _texts(row: Evidence) -> dict[str, str]:
    names = {"Tuned model": ("tuned_text",), "Base": ("base_text",), "Server": ("served_text", "answer")}
    found = {name: next((row[key] for key in keys if row.get(key)), None) for name, keys in names.items()}
    return {name: str(value) for name, value in found.items() if value is not None}
