"""What a finished run means, in plain words with the next click."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import TrainingRun
from studio.ui.components import next_step
from studio.ui.formats import plain
from studio.ui.train.answers import LEGEND, answer_blocks
from studio.ui.train.failing import PAGE_NAMES, apply_button
from studio.ui.train.marked import show_marked

FAILS_SHOWN = 5


def result_card(run: TrainingRun) -> None:
    """Learned, fails at, overfit, forgot, next."""
    card = run.card
    if not card:
        return
    with st.container(border=True, key="run_card", gap="small"):
        st.markdown(f"#### {plain(str(card.get('sentence', 'Done.')))}")
        for sentence in card.get("learned", []):
            st.markdown(f":material/chevron_right: {plain(str(sentence))}")
        for part, icon in (("overfit", "trending_up"), ("forgot", "psychology_alt")):
            if told := sentence_of(card.get(part)):
                st.markdown(f":material/{icon}: {plain(told)}")
        _fails(card.get("fails", []))
        for step in card.get("next", []):
            _next(run, step)
        if told := sentence_of(card.get("estimates")):
            st.caption(plain(told))


def sentence_of(part: object) -> str:
    """What a part of the card says; nothing when it has nothing to say."""
    if isinstance(part, dict):
        return str(part.get("sentence") or "")
    return part if isinstance(part, str) else ""


def _fails(fails: list[dict[str, Any]]) -> None:
    if not fails:
        return
    with st.expander(f"Where it fails: {len(fails)} answers", icon=":material/close:", key="card_fails"):
        blocks = answer_blocks(fails[:FAILS_SHOWN])
        show_marked("Answers that differ from what was expected", blocks, key="fails", legend=LEGEND)


def _next(run: TrainingRun, step: dict[str, Any]) -> None:
    text, page, rule = str(step.get("text", "")), str(step.get("page", "")), str(step.get("rule", ""))
    if rule:
        _remedy(run, rule)
    elif page in PAGE_NAMES and page != "train":
        next_step(plain(text), page)
    elif text:
        st.markdown(f":material/arrow_forward: {plain(text)}")


def _remedy(run: TrainingRun, rule: str) -> None:
    """A finding's cause, and the one click that mends it."""
    warning = next((each for each in run.card.get("warnings", []) if each.get("rule") == rule), None)
    if warning:
        st.markdown(f":orange[:material/warning:] {plain(str(warning.get('cause', '')))}")
    fix = (warning or run.card.get(rule) or {}).get("fix") or {}
    apply_button(run, fix, rule)
