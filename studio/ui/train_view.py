"""The set-up half of the Train page: what to learn from, which base, how thoroughly, and the plan in plain words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from storage.tables import Dataset, DatasetVersion, Project
from studio.access.actor import Actor, Role
from studio.train.advise import PRESETS
from studio.train.hub import MENU
from studio.train.machine import GIB
from studio.train.plan import Plan
from studio.train.preflight import Finding
from studio.ui.charts import bar_chart
from studio.ui.components import active_jobs, metric_row
from studio.ui.formats import plain, short_number, span
from studio.ui.state import current_studio, reported_errors

SEVERITY = {"error": (st.error, "error"), "warning": (st.warning, "warning"), "info": (st.info, "info")}
NUMBERS: tuple[tuple[str, str, float, float], ...] = (
    ("lora_r", "Adapter rank", 1, 256),
    ("num_train_epochs", "Passes over the data", 0.1, 100.0),
    ("learning_rate", "Learning rate", 1e-7, 1.0),
    ("batch_size", "Rows per step", 1, 512),
    ("max_length", "Longest row, in tokens", 16, 131072),
    ("max_steps", "Step limit", 1, 1_000_000),
    ("seed", "Seed", 0, 2**31 - 1),
)
FITS = {"fits": ":green-badge[Fits]", "tight": ":orange-badge[Tight]", "too big": ":red-badge[Too big]"}


@dataclass(frozen=True)
class Choice:
    """What was chosen: a version, a base (registered, or from the Hub menu) and a preset."""

    project_id: str
    version_id: str
    base: str
    """`model:<id>` or `hub:<owner/name>`."""
    preset: str

    def base_id(self, actor: Actor) -> str:
        """The base's id; a Hub base is registered in the project when first used."""
        kind, _, key = self.base.partition(":")
        if kind == "model":
            return key
        return current_studio().models.register_hub_base(actor, self.project_id, key).id


def base_jobs(project_id: str) -> None:
    """The panels of base models that are being built."""
    active_jobs(project_id, ("build_base",), key="base_job")


def needs_first_base(project: Project) -> bool:
    """Whether this is the sample project before its base model is built."""
    return project.is_sample and not current_studio().models.all(project.id, ("base",))


def choose(versions: list[tuple[DatasetVersion, Dataset]], project: Project, actor: Actor) -> Choice:
    """The three questions of a run."""
    bases = _bases(project.id)
    named = {version.id: f"{dataset.name}, version {version.number}" for version, dataset in versions}
    with st.container(border=True, key="train_choice"):
        left, middle, right = st.columns([2, 2, 2])
        version_id = left.selectbox("Learn from", list(named), format_func=named.__getitem__, key="version")
        base = middle.selectbox("Start from", list(bases), format_func=bases.__getitem__, key="base")
        preset = right.segmented_control(
            "How thoroughly", list(PRESETS), default="balanced", required=True, key="preset"
        )
        st.caption(f"{PRESETS[preset]} {_about(base)}")
    if project.is_sample and actor.can(Role.EDITOR):
        _rebuild(project, actor)
    return Choice(project.id, version_id, base, preset)


def first_base(project: Project, actor: Actor) -> None:
    """What the sample project shows before it has a base model."""
    with st.container(border=True, key="first_base", horizontal_alignment="center", gap="small"):
        st.markdown("#### Build the tiny base model", text_alignment="center")
        st.caption(
            "A model of 0.4 million weights that knows the shop's language but not the task. Built here in about half "
            "a minute; nothing is downloaded.",
            text_alignment="center",
        )
        _build_button(project, actor, "Build the tiny base model", primary=True)


def show_plan(choice: Choice) -> dict[str, Any]:
    """The plan with its reasons and what the run doctor found; returns the values a person set."""
    plan_here, reasons_here = st.container(), st.container()
    with reported_errors():
        advice, _findings = _planned(choice, "{}")
        overrides = _advanced(advice)
        plan, findings = _planned(choice, json.dumps(overrides, sort_keys=True))
        with plan_here:
            st.markdown(f"**{plain(plan.sentence)}**")
            _estimates(plan)
            for finding in findings:
                show, icon = SEVERITY[finding.severity]
                show(plain(finding.sentence), icon=f":material/{icon}:")
        with reasons_here:
            _reasons(plan)
        return overrides
    return {}


def _bases(project_id: str) -> dict[str, str]:
    registered = current_studio().models.all(project_id, ("base",))
    names = {model.name for model in registered}
    here = {f"model:{model.id}": f"{model.name} ({short_number(model.parameters)})" for model in registered}
    menu = {
        f"hub:{each.hub_id}": f"{each.name} ({short_number(each.shape.parameters)}, download)"
        for each in MENU
        if each.name not in names
    }
    return here | menu


def _about(base: str) -> str:
    kind, _, key = base.partition(":")
    found = next((each for each in MENU if kind == "hub" and each.hub_id == key), None)
    return f"{plain(found.note)} Licence: {plain(found.licence)}" if found else ""


def _rebuild(project: Project, actor: Actor) -> None:
    if not any(model.digest for model in current_studio().models.all(project.id, ("base",))):
        _build_button(project, actor, "Build the tiny base model", primary=False)


def _build_button(project: Project, actor: Actor, label: str, primary: bool) -> None:
    busy = bool(current_studio().jobs.active(project.id, ("build_base",))) or not actor.can(Role.EDITOR)
    look: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=look, icon=":material/construction:", disabled=busy, key="build_base"):
        with reported_errors():
            current_studio().sample.build_base(actor, project.id)
            st.rerun()


def _advanced(advice: Plan) -> dict[str, Any]:
    """Values to set instead of the advised ones; an empty field keeps the advice it shows."""
    with st.expander("Advanced: change a value", icon=":material/tune:"):
        columns = st.columns(3)
        way = columns[0].selectbox(
            "What is trained", ["lora", "full"], index=None, placeholder="lora, as advised", key="set_training"
        )
        given: dict[str, Any] = {"training": way}
        for number, (name, label, low, high) in enumerate(NUMBERS, start=1):
            given[name] = columns[number % 3].number_input(
                label, low, high, None, placeholder=_written(advice.value(name)), key=f"set_{name}", format=_format(low)
            )
    return {name: value for name, value in given.items() if value is not None}


def _format(low: float) -> str:
    return "%d" if isinstance(low, int) else "%g"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@st.cache_data(ttl=60, max_entries=64, show_spinner="Reading the version")
def _planned(choice: Choice, overrides: str) -> tuple[Plan, list[Finding]]:
    training, given = current_studio().training, json.loads(overrides)
    kind, _, key = choice.base.partition(":")
    if kind == "hub":
        return training.plan_hub(choice.project_id, choice.version_id, key, choice.preset, given)
    plan = training.plan(choice.version_id, key, choice.preset, overrides=given)
    return plan, training.preflight(choice.version_id, key, choice.preset, given)


def _estimates(plan: Plan) -> None:
    estimate = plan.estimate
    low, high = estimate.memory_range
    soonest, latest = estimate.seconds_range
    known = "measured on your earlier run" if estimate.measured else "an estimate until the first run"
    sizes = {**estimate.parts, "room here": estimate.room}
    parts = "\n".join(f"- {name}: {size / GIB:.2f} GiB" for name, size in sizes.items())
    metric_row(
        [
            ("Time", f"{span(soonest)} to {span(latest)}", f"{estimate.tokens:,} tokens; speed {known}."),
            ("Memory", f"{low / GIB:.1f} to {high / GIB:.1f} GiB", parts),
            ("Steps", f"{plan.steps:,}", "Each step learns from one batch of rows."),
            ("Longest row", f"{plan.situation.lengths.longest:,} tokens", "Rows over the limit would be cut."),
        ]
    )
    needs = f"{low / GIB:.1f} to {high / GIB:.1f} of {estimate.room / GIB:.1f} GiB"
    st.caption(f"{FITS[estimate.fit]} {needs} on {plain(plan.situation.machine.place)}")


def _reasons(plan: Plan) -> None:
    with st.expander("Why these values", icon=":material/help:"):
        rows = [(each.label, _written(each.value), each.reason, each.source) for each in plan.values]
        st.dataframe(
            pd.DataFrame(rows, columns=["What", "Value", "Why", "Where the rule comes from"]),
            hide_index=True,
            key="plan_values",
        )
        lengths = pd.DataFrame(plan.situation.lengths.histogram(), columns=["Tokens", "Rows"])
        lengths["Tokens"] = "≤ " + lengths["Tokens"].astype(str)
        bar_chart(lengths, x="Tokens", y="Rows", key="length_histogram", height=160, alt="Rows by length in tokens")
