"""How people read the guidelines: help for editors, never a league table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from storage.tables import LabelTask
from studio.access.actor import Actor

if TYPE_CHECKING:
    from studio.label.quality import PersonQuality
from studio.ui.formats import plain, span
from studio.ui.state import current_studio, reported_errors

INTRO = (
    "Seen by editors and admins only. Where two people differ, the guidelines are usually read in two ways: talk about "
    "the examples and make the rule clearer. Names are in alphabetical order, not by score."
)


def quality(task: LabelTask, actor: Actor) -> None:
    """An expander that measures only when it is opened."""
    title = "How people read the guidelines"
    with st.expander(title, icon=":material/psychology:", key=f"quality_{task.id}", on_change="rerun") as shown:
        if shown.open:
            st.caption(INTRO)
            with reported_errors():
                _table(current_studio().labeling.quality(actor, task.id))


def _table(people: Sequence[PersonQuality]) -> None:
    if not people:
        st.caption("Nobody has answered yet.")
        return
    st.dataframe(pd.DataFrame([_row(each) for each in sorted(people, key=lambda who: who.username)]), hide_index=True)
    for note in dict.fromkeys(each.note for each in people if each.note):
        st.markdown(f":material/lightbulb: {plain(note)}")


def _row(each: PersonQuality) -> dict[str, Any]:
    return {
        "Person": each.username,
        "Answered": each.answered,
        "Gold questions right": _gold(each),
        "With the consensus": f"{each.ds_accuracy:.0%}" if each.ds_accuracy is not None else "",
        "Median time": span(each.median_seconds) if each.median_seconds else "",
    }


def _gold(each: PersonQuality) -> str:
    if not each.gold_n:
        return "none asked"
    known = each.gold_low is not None and each.gold_high is not None
    interval = f" ({each.gold_low:.0%} to {each.gold_high:.0%})" if known else ""
    return f"{each.gold_right} of {each.gold_n}{interval}"
