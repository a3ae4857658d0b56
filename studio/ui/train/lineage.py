"""Where a run comes from and what came of it, as links: version, base, chain, clone, model."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from storage.tables import Model, TrainingRun
from studio.errors import NotFound
from studio.train.methods import METHODS
from studio.ui.formats import plain
from studio.ui.navigation import page_path
from studio.ui.state import current_studio

Links = list[tuple[str, str, Path, dict[str, str]]]


def lineage(run: TrainingRun) -> None:
    """The chips under a run's name."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="lineage"):
        method = METHODS.get(run.method)
        st.badge(method.label if method else run.method, color="gray", icon=":material/school:")
        base = _model(run.base_model_id)
        if base and not base.training_run_id:
            st.badge(plain(f"from {base.name}"), color="gray", icon=":material/deployed_code:")
        for icon, label, page, query in [*_sources(run), *_chain(run), *_made(run)]:
            st.page_link(page, label=plain(label), icon=f":material/{icon}:", query_params=query)


def _sources(run: TrainingRun) -> Links:
    studio = current_studio()
    named = {version.id: (dataset, version) for version, dataset in studio.training.versions(run.project_id)}
    links: Links = []
    if run.dataset_version_id in named:
        dataset, version = named[run.dataset_version_id]
        title = f"{dataset.name}, version {version.number}"
        links.append(("dataset", title, page_path("curate"), {"dataset": dataset.id}))
    base = _model(run.base_model_id)
    if base and base.training_run_id:
        links.append(("call_split", f"from {base.name}", page_path("train"), {"run": base.training_run_id}))
    return links


def _chain(run: TrainingRun) -> Links:
    runs = {each.id: each for each in current_studio().training.all(run.project_id)}
    page = page_path("train")
    links: Links = []
    base = _model(run.base_model_id)
    if run.after_run_id in runs and not (base and base.training_run_id == run.after_run_id):
        links.append(("first_page", f"after {runs[run.after_run_id].name}", page, {"run": run.after_run_id}))
    links += [("last_page", f"then {each.name}", page, {"run": each.id}) for each in _after(run, runs)]
    if run.parent_run_id in runs:
        links.append(("content_copy", f"like {runs[run.parent_run_id].name}", page, {"run": run.parent_run_id}))
    return links


def _after(run: TrainingRun, runs: dict[str, TrainingRun]) -> list[TrainingRun]:
    return [each for each in runs.values() if each.after_run_id == run.id]


def _made(run: TrainingRun) -> Links:
    model = current_studio().training.model_of(run.id)
    if model is None or model.kind != "tuned":
        return []
    return [
        ("analytics", f"Evaluate {model.name}", page_path("evaluate"), {}),
        ("rocket_launch", f"Deploy {model.name}", page_path("deploy"), {}),
    ]


def _model(model_id: str) -> Model | None:
    try:
        return current_studio().models.get(model_id)
    except NotFound:
        return None
