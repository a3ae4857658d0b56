"""What is known of a revision, a line each: its proof, its scores, its data, and what an admin took upon themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from studio.deploy.overview import Overview, RevisionView
from studio.ui.deploy.certificate import certificate_sentence
from studio.ui.formats import milliseconds, percent, plain

SHORT = 12


@dataclass(frozen=True)
class Line:
    """One thing that is known."""

    icon: str
    color: str
    text: str


def evidence_lines(view: RevisionView) -> list[Line]:
    """The proof that it is the right model, gate by gate, for the dialog before traffic moves."""
    entries = view.revision.certificate
    red = [entry for entry in entries if not entry["passed"]]
    lines = [Line("close", "red", str(entry["evidence"].get("why") or entry["gate"])) for entry in red]
    if told := certificate_sentence(view.revision):
        lines.insert(0, Line("verified", "green" if not red else "orange", told))
    passed = sum(bool(entry["passed"]) for entry in entries if entry["gate"] != "override")
    if passed and not red:
        lines.append(Line("check", "green", f"All {passed} gates passed."))
    return lines + [_override(entry["evidence"]) for entry in entries if entry["gate"] == "override"]


def _override(evidence: Mapping[str, Any]) -> Line:
    return Line("gavel", "orange", f"Overridden by {evidence.get('by', 'an admin')}: {evidence.get('reason', '')}")


def release_evidence(found: Overview, view: RevisionView) -> None:
    """What the newest release with this revision says of it."""
    about = facts_of(found, view.revision.id)
    for name, value in facts_in_words(about).items():
        st.markdown(f":gray[{name}] {plain(value)}")
    for line in score_lines(about):
        st.markdown(f":material/analytics: {plain(line)}")
    if view.revision.digest and not about:
        st.markdown(f":gray[Weights] {plain(view.revision.digest[:SHORT])}")


def facts_of(found: Overview, revision_id: str) -> Mapping[str, Any]:
    """What the newest release with the revision recorded of it; empty when it had no traffic yet."""
    for release in found.releases:
        about: Mapping[str, Any] | None = (release.evidence.get("revisions") or {}).get(revision_id)
        if about:
            return about
    return {}


def facts_in_words(about: Mapping[str, Any]) -> dict[str, str]:
    """Weights, data and override."""
    facts = {
        "Weights": str(about.get("digest") or "")[:SHORT],
        "Learned from": _version(about),
        "Judged on": str(about.get("evaluated_on") or ""),
    }
    override = about.get("override") or {}
    if override:
        facts["Overridden"] = f"{override.get('by', 'an admin')}: {override.get('reason', '')}"
    return {name: value for name, value in facts.items() if value}


def _version(about: Mapping[str, Any]) -> str:
    number = about.get("dataset_version")
    return f"{about.get('dataset') or 'data'} version {number}" if number else ""


def score_lines(about: Mapping[str, Any]) -> list[str]:
    """Each score of its evaluation with interval and n, fields apart, and how long answers took."""
    scores = about.get("scores") or {}
    estimates = {**scores, **(scores.get("fields") or {})}
    lines = [
        f"{name.replace('_', ' ')}: {score_in_words(score, scores.get('n'))}"
        for name, score in estimates.items()
        if isinstance(score, dict) and score.get("mean") is not None
    ]
    waits = scores.get("latency_ms") or {}
    took = [f"{name} {milliseconds(waits[name])}" for name in ("p50", "p95") if waits.get(name) is not None]
    return lines + ([f"latency: {', '.join(took)}"] if took else [])


def score_in_words(score: Mapping[str, Any], n: int | None = None) -> str:
    """92.0% (88.1% to 95.0%, n=200)."""
    low, high, count = score.get("low"), score.get("high"), score.get("n") or n
    told = [f"{percent(low)} to {percent(high)}" if low is not None and high is not None else ""]
    told += [f"n={count:,}" if count else ""]
    span = ", ".join(part for part in told if part)
    return f"{percent(score['mean'])} ({span})" if span else percent(score["mean"])
