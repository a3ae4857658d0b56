"""Step 1 of sending: what to ask, as cards, with the choices each kind of question needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset
from studio.label.backend import QuestionKind
from studio.label.templates import TEMPLATES
from studio.label.templates.verdict import REASONS
from studio.label.values import label_values
from studio.ui.state import current_studio

CHOSEN = "send_template"
FIRST = "verdict"
ICONS = {
    "verdict": "fact_check",
    "rating": "star",
    "compare": "compare_arrows",
    "pick_label": "label",
    "spans": "format_ink_highlighter",
    "custom": "tune",
}
KINDS = {
    "One of several labels": QuestionKind.LABEL,
    "Several labels": QuestionKind.MULTI_LABEL,
    "Rating 1 to 5": QuestionKind.RATING,
    "Ranking": QuestionKind.RANKING,
    "Text": QuestionKind.TEXT,
    "Mark spans": QuestionKind.SPAN,
}
START = {"Question": "What kind of request is it?", "Kind": "One of several labels", "Choices": "order, refund, other"}
LOOKED_AT = 500


def choose_template() -> str:
    """One card per way to ask; the name of the chosen one."""
    chosen = st.session_state.get(CHOSEN, FIRST)
    with st.grid(3, min_column_width=190, gap="small"):
        for name, template in TEMPLATES.items():
            with st.container(border=True, gap="xsmall", height="stretch"):
                st.button(
                    template.title,
                    key=f"ask_{name}",
                    icon=f":material/{ICONS.get(name, 'quiz')}:",
                    type="primary" if name == chosen else "secondary",
                    width="stretch",
                    on_click=_choose,
                    args=(name,),
                )
                st.caption(template.caption)
    return str(chosen)


def _choose(name: str) -> None:
    st.session_state[CHOSEN] = name


def template_options(name: str, dataset: Dataset) -> dict[str, Any]:
    """What the chosen template lets one choose."""
    ask: dict[str, Callable[[Dataset], dict[str, Any]]] = {
        "verdict": _reasons,
        "rating": _criteria,
        "compare": _how_many,
        "pick_label": _labels,
        "spans": _span_kinds,
        "custom": _questions,
    }
    return ask[name](dataset) if name in ask else {}


def _reasons(_dataset: Dataset) -> dict[str, Any]:
    with st.expander("Reasons to choose from when an answer is wrong", key="send_more_reasons"):
        reasons = st.multiselect(
            "Reasons",
            REASONS,
            default=REASONS,
            accept_new_options=True,
            placeholder="No reasons are asked for",
            key="send_reasons",
            label_visibility="collapsed",
        )
    return {"reasons": reasons}


def _how_many(_dataset: Dataset) -> dict[str, Any]:
    count = st.segmented_control("Answers side by side", [2, 3], default=2, required=True, key="send_compared")
    st.caption(
        "Answers come from your evaluations, from corrections, and from calls that asked the same thing. "
        "Nobody sees which model wrote which."
    )
    return {"answers": int(count or 2)}


def _criteria(_dataset: Dataset) -> dict[str, Any]:
    criteria = st.multiselect(
        "Criteria, each rated 1 to 5",
        ["Correct", "Complete", "Clear", "Polite", "Safe"],
        accept_new_options=True,
        placeholder="How good is it overall?",
        key="send_criteria",
        help="Empty asks for one overall rating. Type to add your own.",
    )
    return {"criteria": criteria} if criteria else {}


def _labels(dataset: Dataset) -> dict[str, Any]:
    found = label_values(current_studio().datasets.examples(dataset.id, limit=LOOKED_AT))
    names = list(found)
    field = st.selectbox("What is picked", names, format_func=_field_title, key="send_field") if len(names) > 1 else ""
    field = field or (names[0] if names else "")
    known = found.get(field, [])
    labels = st.multiselect(
        "Labels",
        known,
        default=known,
        accept_new_options=True,
        placeholder="Type a label and press Enter",
        key=f"send_labels_{dataset.id}_{field}",
        help="Read from the data's own values. Type to add one, at least two are needed.",
    )
    multi = st.checkbox("Several labels may fit", key="send_multi")
    return {"labels": labels, "multi": multi, **({"field": field} if field else {})}


def _field_title(field: str) -> str:
    return f"The answer's “{field}”" if field else "The whole answer"


def _span_kinds(_dataset: Dataset) -> dict[str, Any]:
    kinds = st.multiselect(
        "What is marked",
        ["Personal data", "Unsupported claim", "Wrong", "Off topic", "Rude"],
        default=["Personal data", "Unsupported claim"],
        accept_new_options=True,
        key="send_kinds",
        help="People select text and pick one of these. Type to add your own.",
    )
    return {"labels": kinds}


def _questions(_dataset: Dataset) -> dict[str, Any]:
    st.caption("One row per question. Choices are separated by commas. Add a row at the end of the table.")
    table = st.data_editor(
        pd.DataFrame([{**START, "Required": True, "Help": ""}]),
        num_rows="dynamic",
        hide_index=True,
        key="send_questions",
        column_config={
            "Question": st.column_config.TextColumn(width=190, required=True),
            "Kind": st.column_config.SelectboxColumn(options=list(KINDS), required=True, default="Text", width=130),
            "Choices": st.column_config.TextColumn(help="For labels, rankings and spans.", width=130),
            "Required": st.column_config.CheckboxColumn(default=True, width=60),
            "Help": st.column_config.TextColumn(help="Shown under the question.", width=90),
        },
    )
    return {"questions": question_rows(table.to_dict("records"))}


def question_rows(rows: list[dict[Any, Any]]) -> list[dict[str, Any]]:
    """The table's rows as question facts; rows without a question are dropped."""
    return [_question(number, row) for number, row in enumerate(rows, start=1) if _text(row, "Question")]


def _question(number: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    choices = [choice.strip() for choice in _text(row, "Choices").split(",")]
    return {
        "name": f"question_{number}",
        "title": _text(row, "Question"),
        "kind": KINDS.get(_text(row, "Kind"), QuestionKind.TEXT).value,
        "options": list(dict.fromkeys(choice for choice in choices if choice)),
        "description": _text(row, "Help"),
        "required": bool(row.get("Required")),
    }


def _text(row: Mapping[Any, Any], name: str) -> str:
    cell = row.get(name)
    return cell.strip() if isinstance(cell, str) else ""
