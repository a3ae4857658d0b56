"""Advanced: every value of the plan can be set; an empty field keeps the advice it shows."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.scoring import SCORERS
from studio.train.methods import METHODS
from studio.train.plan import Plan
from studio.ui.state import current_studio
from studio.ui.train.choice import Choice
from studio.ui.train.fields import EVERY, GROUPS, Field, Number, in_words

SET = "set_"
"""Prefix of the fields' keys."""


def advanced(advice: Plan, choice: Choice) -> dict[str, Any]:
    """The values a person set instead of the advised ones."""
    given: dict[str, Any] = {}
    with st.expander("Advanced: change any value", icon=":material/tune:", key="advanced"):
        for heading, fields in GROUPS.items():
            shown = [field for field in fields if _belongs(field, advice)]
            if shown:
                st.markdown(f"**{heading}**")
                given |= _filled(shown, advice)
        given |= _special(advice, choice)
        st.button("Back to the advice", icon=":material/undo:", type="tertiary", key="to_advice", on_click=clear_values)
    return {name: value for name, value in given.items() if value not in (None, [])}


def set_values(values: dict[str, Any]) -> None:
    """Put these values into the fields, as a fix's button does before the next run."""
    for name, value in values.items():
        st.session_state[f"{SET}{name}"] = _fitting(name, value)


def clear_values() -> None:
    """Back to the advised values everywhere."""
    for name in [str(key) for key in st.session_state if str(key).startswith(SET)]:
        del st.session_state[name]


def _filled(fields: list[Field], advice: Plan) -> dict[str, Any]:
    advised = {each.name: each.value for each in advice.values}
    with st.grid(4, min_column_width=190, gap="small"):
        return {field.name: _field(field, in_words(advised.get(field.name))) for field in fields}


def _field(field: Field, advised: str) -> Any:
    key = f"{SET}{field.name}"
    if isinstance(field, Number):
        form = "%d" if isinstance(field.low, int) else "%g"
        return st.number_input(field.label, field.low, field.high, None, placeholder=advised, key=key, format=form)
    return st.selectbox(
        field.label, field.options, index=None, placeholder=f"{advised}, as advised", key=key, format_func=in_words
    )


def _belongs(field: Field, advice: Plan) -> bool:
    if not isinstance(field, Number) and field.methods:
        return advice.method in field.methods
    return any(each.name == field.name for each in advice.values)


def _special(advice: Plan, choice: Choice) -> dict[str, Any]:
    """Values that are chosen among things of the project."""
    named = {each.name for each in advice.values}
    given: dict[str, Any] = {"keep_version_id": _kept(choice)} if METHODS[advice.method].makes == "tuned" else {}
    if "rewards" in named:
        given["rewards"] = _rewards()
    if "task" in named:
        given["task"] = _task()
    if advice.method == "distil":
        given["teacher_model_id"] = _teacher(choice)
    return given


def _kept(choice: Choice) -> str | None:
    versions = current_studio().training.versions(choice.project_id)
    others = {
        version.id: f"{dataset.name}, version {version.number}"
        for version, dataset in versions
        if version.id != choice.version_id
    }
    if not others:
        return None
    return st.selectbox(
        "Must not be forgotten",
        list(others),
        index=None,
        placeholder="Nothing is checked",
        format_func=others.__getitem__,
        key=f"{SET}keep_version_id",
        help="Before and after the run the model answers this version's golden rows too, so that forgetting is seen.",
    )


def _rewards() -> list[dict[str, Any]]:
    names = st.multiselect(
        "What is rewarded",
        list(SCORERS),
        format_func=lambda name: name.replace("_", " "),
        placeholder="Right answers, and a little for readable ones, as advised",
        key=f"{SET}rewards",
    )
    return [{"name": name, "weight": 1.0} for name in names]


def _task() -> dict[str, Any] | None:
    name = st.selectbox(
        "What counts as right",
        list(SCORERS),
        index=None,
        placeholder="wholly right, as advised",
        format_func=lambda name: name.replace("_", " "),
        key=f"{SET}task",
    )
    return {"name": name} if name else None


def _teacher(choice: Choice) -> str | None:
    teachers = {each.id: each.name for each in current_studio().models.all(choice.project_id, ("provider",))}
    return st.selectbox(
        "Who teaches",
        list(teachers),
        index=None,
        placeholder="The provider's model, as advised",
        format_func=teachers.__getitem__,
        key=f"{SET}teacher_model_id",
    )


def _fitting(name: str, value: Any) -> Any:
    """The value as its field takes it."""
    field = EVERY.get(name)
    if isinstance(field, Number):
        return int(value) if isinstance(field.low, int) else float(value)
    if name == "rewards":
        return [each["name"] for each in value]
    return value["name"] if name == "task" else value
