"""Answers side by side: what one model gets right and another wrong, example by example."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Evaluation
from studio.evaluate.evaluations import Compared
from studio.ui.curate_example import as_text
from studio.ui.evaluate_view import pair_sentence
from studio.ui.formats import plain
from studio.ui.state import current_studio

SHOWN = "answer_shown"
MOST = 200
ONLY = {
    "All": None,
    "Regressions": "regressions",
    "Improvements": "improvements",
    "Differences": "differences",
    "Wrong": "wrong",
    "Failed": "errors",
}


@st.fragment
def side_by_side(evaluation: Evaluation) -> None:
    """Two models' answers, regressions first; a row opens the whole conversation."""
    names = {key: facts["name"] for key, facts in evaluation.summary["models"].items()}
    keys = list(names)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        first = st.selectbox("Today", keys, format_func=names.__getitem__, key="first_model", width=220)
        second = st.selectbox(
            "Candidate", keys, index=len(keys) - 1, format_func=names.__getitem__, key="second_model", width=220
        )
        only = st.segmented_control("Show", list(ONLY), default="All", required=True, key="only")
    sentence = pair_sentence(evaluation.summary, first, second)
    if sentence:
        st.caption(plain(sentence))
    ids = list(dict.fromkeys([first, second]))
    pairs = current_studio().evaluations.outputs(evaluation.id, ids, ONLY[only])
    if not pairs:
        st.caption("No example of this kind.")
        return
    shown = pairs[:MOST]
    event: Any = st.dataframe(
        pd.DataFrame([_line(pair, ids, names) for pair in shown]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"answers_{evaluation.id}_{only}_{first}_{second}",
        column_config={
            name: st.column_config.Column(width="medium") for name in ("Prompt", "Reference", *names.values())
        },
    )
    st.caption(f"{len(shown):,} of {len(pairs):,} examples. A regression is right today and wrong with the candidate.")
    chosen = event.selection.rows
    _open(shown[chosen[0]] if chosen else None, names)


def _line(pair: Compared, ids: list[str], names: dict[str, str]) -> dict[str, Any]:
    answers = {names[key]: _said(pair, key) for key in ids}
    prompt = as_text(pair.row.messages[-1].get("content")) if pair.row.messages else ""
    return {"Outcome": _outcome(pair, ids), "Prompt": prompt[:MOST], "Reference": pair.row.output[:MOST], **answers}


def _said(pair: Compared, model_id: str) -> str:
    answer = pair.answers.get(model_id)
    if answer is None:
        return "not asked"
    return f"failed: {answer.error}" if answer.error else answer.output[:MOST]


def _outcome(pair: Compared, ids: list[str]) -> str:
    before, after = pair.right(ids[0]), pair.right(ids[-1])
    if before == after:
        return "both right" if after else "both wrong"
    return "regression" if before else "improvement"


def _open(pair: Compared | None, names: dict[str, str]) -> None:
    if pair is None:
        st.session_state.pop(SHOWN, None)
    elif st.session_state.get(SHOWN) != pair.row.example_id:
        st.session_state[SHOWN] = pair.row.example_id
        _drawer(pair, names)


@st.dialog("Answers", width="medium", position="right")
def _drawer(pair: Compared, names: dict[str, str]) -> None:
    for message in pair.row.messages:
        st.caption(plain(str(message.get("role", ""))))
        st.code(as_text(message.get("content")), language=None, wrap_lines=True)
    st.caption("Reference" if pair.row.verified else "Reference (not verified by a person)")
    st.code(pair.row.output, language=None, wrap_lines=True)
    for key, answer in pair.answers.items():
        with st.container(horizontal=True, gap="small"):
            st.markdown(f"**{plain(names[key])}**")
            right = pair.right(key)
            st.badge("right" if right else "wrong", color="green" if right else "red")
        st.code(answer.error or answer.output, language=None, wrap_lines=True)
