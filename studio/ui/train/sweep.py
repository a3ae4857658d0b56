"""A sweep: up to three settings tried in every combination, with what all of it takes before anything starts."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.access.actor import Actor
from studio.errors import InvalidInput
from studio.train.experiments.sweeps import MOST_RUNS, MOST_SETTINGS
from studio.train.plan import Plan
from studio.ui.formats import plain
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.choice import Choice, Start
from studio.ui.train.fields import EVERY, Number, in_words


@st.dialog("Sweep", icon=":material/grid_view:", width="medium")
def open_sweep(choice: Choice, start: Start, overrides: dict[str, Any], plan: Plan) -> None:
    """Choose settings and values, see the total, start all runs."""
    sweep_form(choice, start, overrides, plan)


def sweep_form(choice: Choice, start: Start, overrides: dict[str, Any], plan: Plan) -> None:
    """The dialog's body."""
    st.caption(f"Up to {MOST_SETTINGS} settings and {MOST_RUNS} runs: one for every combination of the values.")
    named = {each.name: each.value for each in plan.values if each.name in EVERY}
    chosen = st.multiselect(
        "Settings to try",
        list(named),
        default=["learning_rate"] if "learning_rate" in named else None,
        max_selections=MOST_SETTINGS,
        format_func=lambda name: EVERY[name].label,
        key="sweep_settings",
    )
    given = {name: _values(name, named[name]) for name in chosen}
    name = st.text_input("Name", "sweep", max_chars=60, key="sweep_name")
    with reported_errors():
        grid = {each: parsed(each, text) for each, text in given.items()}
        base_id = choice.base_key
        options: dict[str, Any] = {"method": choice.method, "preset": choice.preset, "overrides": overrides}
        planned = current_studio().experiments.plan_sweep(choice.version_id, base_id, grid, **options)
        st.markdown(f"**{plain(planned.sentence)}**")
        for run in planned.runs:
            st.caption(plain(run.label))
        if st.button(f"Start {len(planned.runs)} runs", type="primary", key="start_sweep"):
            options |= {"name": name, "runner": start.runner, "not_before": start.not_before}
            _start(current_actor(), choice.version_id, base_id, grid, options)


def _start(actor: Actor, version_id: str, base_id: str, grid: dict[str, list[Any]], options: dict[str, Any]) -> None:
    runs = current_studio().experiments.sweep(actor, version_id, base_id, grid, **options)
    st.query_params["compare"] = ",".join(run.id for run in runs)
    st.rerun()


def _values(name: str, advised: Any) -> str:
    field = EVERY[name]
    start = around(advised) if isinstance(field, Number) else ", ".join(_one(each) for each in field.options)
    return st.text_input(field.label, start, key=f"sweep_{name}", help="Values, separated by commas.")


def _one(option: Any) -> str:
    """An option without commas, for they stand between the values that are tried."""
    return in_words(option).replace(", ", " + ")


def around(advised: Any) -> str:
    """The advised number with its half and its double, to begin with."""
    if not isinstance(advised, int | float) or isinstance(advised, bool) or not advised:
        return in_words(advised)
    tries = (advised / 2, advised, advised * 2)
    return ", ".join(f"{max(1, round(each)):d}" if isinstance(advised, int) else f"{each:g}" for each in tries)


def parsed(name: str, text: str) -> list[Any]:
    """The values as the setting takes them. Raises InvalidInput for what is no number or no option."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    field = EVERY[name]
    if not isinstance(field, Number):
        options = {_one(option): option for option in field.options}
        if unknown := [part for part in parts if part not in options]:
            raise InvalidInput(f"{field.label} has no {unknown[0]!r}. Choose among: {', '.join(options)}.")
        return [options[part] for part in parts]
    try:
        return [int(part) if isinstance(field.low, int) else float(part) for part in parts]
    except ValueError as error:
        raise InvalidInput(f"{field.label} takes numbers separated by commas; {text!r} is not that.") from error
