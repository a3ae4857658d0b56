"""The parts of the Evaluate page: what to compare, the verdict, the table, the charts, the answers side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset, DatasetVersion, Evaluation, Model, Project
from studio.evaluate.ceiling import NAME, WHOLE, Ceiling
from studio.evaluate.verdict import find_comparison, verdict, verdicts
from studio.scoring.statistics import Estimate
from studio.ui.components import job_panel
from studio.ui.formats import ago, milliseconds, money, plain
from studio.ui.interval_charts import Bar, grouped_bars, interval_bars, trade_off
from studio.ui.state import current_studio

METRICS = {"exact_match": "Exact match", "valid_json": "Valid JSON", "contains": "Contains"}


@dataclass(frozen=True)
class Choice:
    """What to compare on what."""

    version_id: str
    model_ids: list[str]
    verified_only: bool


def choose(versions: list[tuple[DatasetVersion, Dataset]], models: list[Model]) -> Choice:
    """The version, the models, and whether only verified golden examples count."""
    named = {version.id: _version_name(version, dataset) for version, dataset in versions}
    labels = {model.id: f"{model.name} ({model.kind})" for model in models}
    with st.container(border=True, key="evaluate_choice"):
        left, right = st.columns([2, 3])
        version_id = left.selectbox("Golden examples of", list(named), format_func=named.__getitem__, key="version")
        chosen = right.multiselect(
            "Models", list(labels), default=_usual(models), format_func=labels.__getitem__, key="models"
        )
        version = next(version for version, _ in versions if version.id == version_id)
        verified = st.toggle(
            "Only examples a person verified",
            value=True,
            key="verified_only",
            help="Unverified answers come from today's model: measuring against them only shows who copies it best.",
        )
        _warn(version, verified)
    return Choice(version_id, chosen, verified)


def pick(evaluations: list[Evaluation]) -> Evaluation:
    """The comparison to show; the choice is in the address."""
    names = {each.id: f"{each.name} · {ago(each.created_at)}" for each in evaluations}
    wanted = st.query_params.get("id")
    index = list(names).index(wanted) if wanted in names else 0
    chosen = st.selectbox("Comparison", list(names), index=index, format_func=names.__getitem__, key=f"shown_{wanted}")
    st.query_params["id"] = chosen
    return next(each for each in evaluations if each.id == chosen)


def progress(evaluation: Evaluation) -> None:
    """The job of a comparison that is not finished."""
    if evaluation.job_id:
        job_panel(evaluation.job_id, key=f"evaluation_{evaluation.id}")


def results(evaluation: Evaluation) -> None:
    """The verdict in words, the table and the charts."""
    summary = evaluation.summary
    models: dict[str, dict[str, Any]] = summary["models"]
    ceilings = current_studio().evaluations.ceilings(evaluation.id)
    whole = next((each for each in ceilings if each.metric == WHOLE), None)
    _verdicts(evaluation)
    lines = [_line(facts) for facts in models.values()] + ([_people_line(whole)] if whole else [])
    st.dataframe(pd.DataFrame(lines), hide_index=True, key="evaluation_table")
    for each in ceilings:
        st.caption(plain(each.sentence))
    st.caption(_small_print(evaluation))
    left, right = st.columns(2)
    with left, st.container(border=True):
        _quality(models, whole)
    with right, st.container(border=True):
        st.markdown("**Cost, latency and quality**")
        trade_off([_point(facts) for facts in models.values()], key="trade_off")
    fields = {facts["name"]: facts["fields"] for facts in models.values() if facts["fields"]}
    if fields:
        with st.container(border=True):
            _by_field(fields)


def _by_field(fields: dict[str, dict[str, dict[str, Any]]]) -> None:
    st.markdown("**Right by field**")
    left, right = st.columns([2, 3])
    with left:
        grouped_bars({name: _means(found) for name, found in fields.items()}, key="fields", axis="Right (%)")
    labels = dict.fromkeys(label for found in fields.values() for label in found)
    lines = [
        {"Field": label, "n": next(iter(fields.values())).get(label, {}).get("n", 0)}
        | {name: _interval(found.get(label)) for name, found in fields.items()}
        for label in labels
    ]
    right.dataframe(pd.DataFrame(lines), hide_index=True, key="fields_table")


def _verdicts(evaluation: Evaluation) -> None:
    metric = "exact_match" if "exact_match" in evaluation.summary["metrics"] else "valid_json"
    sentences = verdicts(evaluation.summary, metric)
    with st.container(border=True, gap="xsmall", key="verdict"):
        for number, sentence in enumerate(sentences):
            st.markdown(f"**{plain(sentence)}**" if number == 0 else f":gray[{plain(sentence)}]")
        if not sentences:
            st.markdown(":gray[Only one model was asked. Compare two or more to see which is better.]")


def pair_sentence(summary: dict[str, Any], first: str, second: str) -> str | None:
    """The verdict on two models, or None when they were not compared."""
    found = find_comparison(summary, first, second)
    return verdict(found, {key: facts["name"] for key, facts in summary["models"].items()}) if found else None


def _quality(models: dict[str, dict[str, Any]], whole: Ceiling | None) -> None:
    metric = next((name for name in METRICS if all(name in facts for facts in models.values())), None)
    if metric is None:
        st.caption("No metric applies to these answers.")
        return
    st.markdown(f"**{METRICS[metric]}**")
    bars = [Bar(name=facts["name"], **facts[metric]) for facts in models.values()]
    ceiling = _bar(whole.estimate) if whole and metric == WHOLE else None
    interval_bars(bars, key="quality", axis=f"{METRICS[metric]} (%)", ceiling=ceiling)


def _line(facts: dict[str, Any]) -> dict[str, Any]:
    shares = {label: _interval(facts.get(name)) for name, label in METRICS.items() if name in facts}
    latency = facts["latency_ms"]
    return {
        "Model": facts["name"],
        "Kind": facts["kind"],
        "n": facts["n"],
        **shares,
        "Median latency": milliseconds(latency["p50"]) if latency["n"] else "not timed",
        "95th percentile": milliseconds(latency["p95"]) if latency["n"] else "not timed",
        "Cost per 1,000": _cost(facts),
        "Failed calls": facts["errors"],
    }


def _bar(agreed: Estimate) -> Bar:
    return Bar(f"{NAME} agree", agreed.mean, agreed.low, agreed.high, agreed.n)


def _people_line(whole: Ceiling) -> dict[str, Any]:
    """The human ceiling as a line of the table; people were not timed on these examples."""
    found = whole.estimate
    shown = {"Model": f"{NAME} agree", "Kind": "people", "n": found.n, METRICS[WHOLE]: _interval(found.to_dict())}
    return {**shown, "Median latency": "–", "95th percentile": "–", "Cost per 1,000": "–"}


def _interval(found: dict[str, Any] | None) -> str:
    if not found:
        return "–"
    each = Estimate(**found)
    return f"{each.mean:.1%} ({each.low:.0%} to {each.high:.0%})"


def _cost(facts: dict[str, Any]) -> str:
    basis = facts["cost_basis"]
    return money(facts["cost_usd_per_1k"]) if basis == "prices" else basis


def _small_print(evaluation: Evaluation) -> str:
    counted = "golden examples a person verified" if evaluation.verified_only else "all golden examples"
    timed = ", ".join(
        f"{plain(each['name'])} {each['latency_ms']['n']}" for each in evaluation.summary["models"].values()
    )
    seen = evaluation.summary.get("left_out_seen", 0)
    left_out = f"; {seen:,} left out because a compared model was trained on them" if seen else ""
    return (
        f"On {counted}{left_out}; 95 % intervals from 10,000 resamples; failed calls count as wrong. "
        f"Latency: calls timed per model: {timed}. "
        "Local models are timed one call at a time on this machine and cost nothing per call."
    )


def _point(facts: dict[str, Any]) -> tuple[str, float, float, float]:
    right = facts.get("exact_match") or facts.get("valid_json") or {"mean": 0.0}
    return facts["name"], facts["cost_usd_per_1k"], right["mean"], facts["latency_ms"]["p50"]


def _means(fields: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {name: found["mean"] for name, found in fields.items()}


def _version_name(version: DatasetVersion, dataset: Dataset) -> str:
    return f"{dataset.name}, version {version.number} ({version.verified_golden_rows:,} verified golden)"


def _usual(models: list[Model]) -> list[str]:
    """Today's model, and the newest tuned model with its base."""
    newest = {
        kind: next((model for model in models if model.kind == kind), None) for kind in ("provider", "base", "tuned")
    }
    return [model.id for model in newest.values() if model]


def _warn(version: DatasetVersion, verified: bool) -> None:
    if verified and not version.verified_golden_rows:
        st.warning(
            "No golden example of this version was verified by a person. Label some first.", icon=":material/warning:"
        )
    elif verified and version.verified_golden_rows < 30:
        count = version.verified_golden_rows
        st.caption(f"With {count} verified examples only large differences can be shown; 60 to 200 are better.")


def can_compare(project: Project | None) -> tuple[list[tuple[DatasetVersion, Dataset]], list[Model]]:
    """The versions and models of a project that a comparison can be made of."""
    if project is None:
        return [], []
    studio = current_studio()
    return studio.datasets.project_versions(project.id), studio.models.all(project.id, ("provider", "base", "tuned"))
