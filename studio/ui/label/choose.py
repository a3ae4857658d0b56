"""Steps 2 and 3 of sending: which examples, and who answers how many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import Dataset, Team
from studio.label.draft import ANYBODY, ASSIGNMENTS, LARGEST, MOST_ANSWERS, SPLIT
from studio.label.sampling import SAMPLE_BY, SAMPLES
from studio.label.templates import TEMPLATES
from studio.ui.label.deadline import deadline_input
from studio.ui.label.words import counted
from studio.ui.state import current_studio

SIZE, ANSWERS = 60, 2
PEOPLE = "send_people"
TITLES = {
    "golden_first": "Golden set first",
    "unlabeled": "Not yet labeled",
    "stratified": "Equal shares",
    "lowest_feedback": "Lowest feedback",
    "disagreement": "Models disagree",
    "boundary": "Hardest to decide",
    "clusters": "One of each kind",
}


def which_examples(dataset: Dataset) -> dict[str, Any]:
    """How many, chosen how, and what that goes by."""
    size = int(st.number_input("How many", 1, LARGEST, SIZE, key="send_size"))
    names = list(SAMPLES)
    sample = st.radio(
        "Chosen how",
        names,
        captions=list(SAMPLES.values()),
        format_func=lambda name: TITLES.get(name, name.replace("_", " ").capitalize()),
        key="send_sample",
    )
    return {"size": size, "sample": sample, "sample_by": _goes_by(str(sample), dataset)}


def _goes_by(sample: str, dataset: Dataset) -> str:
    if sample not in SAMPLE_BY:
        return ""
    studio = current_studio()
    if sample == "stratified":
        tags = ["model", *studio.logs.facets(dataset.project_id).tags]
        return str(st.selectbox("Equal shares of every", tags, accept_new_options=True, key="send_by_tag") or "")
    if sample == "disagreement":
        known = [model.name for model in studio.models.all(dataset.project_id)]
        told = "Empty compares today's model with the newest tuned one"
        return ", ".join(st.multiselect("Two models", known, max_selections=2, placeholder=told, key="send_by_models"))
    return st.text_input(SAMPLE_BY[sample], key=f"send_by_{sample}")


def who_answers(kind: str) -> dict[str, Any]:
    """People and teams, answers per example, who takes what, gold questions and the deadline."""
    known, teams = current_studio().labeling.teammates(), current_studio().teams.all()
    chosen_teams = _teams(teams, known)
    people = st.multiselect("People", known, default=known, placeholder="Nobody else", key=PEOPLE)
    asked = members(people, chosen_teams) or known
    left, right = st.columns(2)
    most = max(min(len(asked), MOST_ANSWERS), 1)
    told = "Two or more let you measure agreement."
    answers = int(left.number_input("Answers per example", 1, most, min(ANSWERS, most), key="send_answers", help=told))
    with right:
        deadline = deadline_input(None, "send_deadline")
    mode = _assignment(kind)
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
        "assignment": mode,
        "shares": shares,
        "gold_percent": gold,
        "deadline": deadline,
    }


def _assignment(kind: str) -> str:
    if TEMPLATES[kind].needs_candidates:
        st.caption("Each example is given to certain people, because everybody sees the answers in an order of theirs.")
        return SPLIT
    return str(
        st.radio("Who takes which", list(ASSIGNMENTS), format_func=ASSIGNMENTS.__getitem__, key="send_mode") or ANYBODY
    )


def members(people: Sequence[str], teams: Sequence[Team]) -> list[str]:
    """Everybody asked, once each."""
    return sorted({*people, *(name for team in teams for name in team.members)})


def _teams(teams: Sequence[Team], known: Sequence[str]) -> list[Team]:
    if not teams:
        return []
    return st.multiselect(
        "Teams",
        list(teams),
        format_func=lambda team: f"{team.name} ({counted(len(team.members), 'person')})",
        placeholder="No team",
        key="send_teams",
        on_change=_only_the_team,
        args=(known,),
    )


def _only_the_team(known: Sequence[str]) -> None:
    """Whoever chooses a team means the team, not everybody."""
    if list(st.session_state.get(PEOPLE, ())) == list(known):
        st.session_state[PEOPLE] = []


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
