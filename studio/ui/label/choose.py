"""Steps 2 and 3 of sending: which examples, and who answers how many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset, Team
from studio.label.draft import ANYBODY, ASSIGNMENTS, LARGEST, MOST_ANSWERS, SPLIT
from studio.label.sampling import SAMPLES
from studio.ui.label.deadline import deadline_input
from studio.ui.label.words import counted
from studio.ui.state import current_studio

SIZE, ANSWERS = 60, 2


def which_examples(dataset: Dataset) -> dict[str, Any]:
    """How many, chosen how."""
    size = int(st.number_input("How many", 1, LARGEST, SIZE, key="send_size"))
    names = list(SAMPLES)
    sample = st.radio("Which examples", names, format_func=SAMPLES.__getitem__, key="send_sample")
    return {"size": size, "sample": sample, "sample_by": ""}


def who_answers() -> dict[str, Any]:
    """People and teams, answers per example, who takes what, gold questions and the deadline."""
    known, teams = current_studio().labeling.teammates(), current_studio().teams.all()
    chosen_teams = _teams(teams)
    people = st.multiselect("People", known, default=[] if chosen_teams else known, placeholder="Nobody else")
    asked = members(people, chosen_teams)
    left, right = st.columns(2)
    most = max(min(len(asked), MOST_ANSWERS), 1)
    told = "Two or more let you measure agreement."
    answers = int(left.number_input("Answers per example", 1, most, min(ANSWERS, most), key="send_answers", help=told))
    with right:
        deadline = deadline_input(None, "send_deadline")
    mode = st.radio("Who takes which", list(ASSIGNMENTS), format_func=ASSIGNMENTS.__getitem__, key="send_mode")
    shares = _shares(asked) if mode == SPLIT else {}
    gold = st.slider(
        "Gold questions (%)",
        0,
        20,
        0,
        key="send_gold",
        help="Verified examples with known answers are mixed in, so that you see how people read the guidelines. "
        "Nobody can tell them apart.",
    )
    return {
        "people": tuple(people),
        "teams": tuple(team.name for team in chosen_teams),
        "answers_per_item": answers,
        "assignment": mode or ANYBODY,
        "shares": shares,
        "gold_percent": gold,
        "deadline": deadline,
    }


def members(people: Sequence[str], teams: Sequence[Team]) -> list[str]:
    """Everybody asked, once each."""
    return sorted({*people, *(name for team in teams for name in team.members)})


def _teams(teams: Sequence[Team]) -> list[Team]:
    if not teams:
        return []
    return st.multiselect(
        "Teams",
        list(teams),
        format_func=lambda team: f"{team.name} ({counted(len(team.members), 'person')})",
        placeholder="No team",
        key="send_teams",
    )


def _shares(people: Sequence[str]) -> dict[str, float]:
    st.caption("Shares: 2 means twice as many examples as 1.")
    table = st.data_editor(
        pd.DataFrame({"Person": list(people), "Share": [1.0] * len(people)}),
        hide_index=True,
        disabled=["Person"],
        column_config={"Share": st.column_config.NumberColumn(min_value=0.1, max_value=100, step=0.1, required=True)},
        key=f"send_shares_{'_'.join(people)}",
    )
    return {str(row["Person"]): float(row["Share"]) for row in table.to_dict("records") if row["Share"] != 1}
