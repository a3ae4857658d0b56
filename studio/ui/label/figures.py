"""A task in figures: progress per person, agreement with what it means, and what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import LabelTask
from studio.label.agreement import Agreement
from studio.label.tasks import Answered, Progress
from studio.ui.components import metric_row
from studio.ui.formats import ago, span
from studio.ui.label.words import BANDS_HELP, counted, interval_in_words
from studio.ui.state import current_studio

VERDICTS = {
    "confirmed": ("Confirmed", "People agree that the model's answer is right"),
    "corrected": ("Corrected", "People agree on another answer"),
    "marked": ("Marked", "People agree on the very passages, or that there are none"),
    "tied": ("Tied", "No answer is preferred by more than half, and nobody contradicts another"),
    "disputed": ("Disputed", "People disagree and nobody decided yet: a review session settles it"),
    "left_out": ("Left out", "Nobody could say what is right"),
}


def figures(task_id: str) -> None:
    """Everything that moves while people answer; a fragment reruns only this."""
    labeling = current_studio().labeling
    task, progress = labeling.get(task_id), labeling.progress(task_id)
    share = progress.complete / max(progress.items, 1)
    needed = counted(task.answers_per_item, "answer")
    st.progress(share, text=f"{progress.complete:,} of {progress.items:,} examples have {needed}")
    st.caption("Progress per person")
    people_table(progress)
    st.caption("Agreement", help=BANDS_HELP)
    agreement_table(agreement(task, progress))
    if progress.verdicts:
        metric_row(_verdicts(progress))


def agreement(task: LabelTask, progress: Progress) -> list[Agreement]:
    """Agreement, measured again only when somebody answered."""
    return _measured(task.id, repr(sorted(progress.per_person.items())))


@st.cache_data(show_spinner=False, max_entries=200, ttl=3600)
def _measured(task_id: str, state_of_answers: str) -> list[Agreement]:
    return current_studio().labeling.agreement(task_id)


def people_table(progress: Progress) -> None:
    """One row per person, those with the most left first."""
    rows = [_person(name, done, progress.items) for name, done in sorted(progress.per_person.items())]
    most = max((done.assigned for done in progress.per_person.values()), default=1)
    bar = st.column_config.ProgressColumn(format="%d", min_value=0, max_value=max(most, 1))
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Submitted": bar})


def _person(name: str, done: Answered, items: int) -> dict[str, Any]:
    return {
        "Person": name,
        "Submitted": done.submitted,
        "Assigned": done.assigned,
        "Drafts": done.drafts,
        "Discarded": done.discarded,
        "Median time": span(done.median_seconds) if done.median_seconds else "",
        "Last answer": ago(done.last_answer) if done.last_answer else "",
    }


def agreement_table(found: Sequence[Agreement]) -> None:
    """One row per question: the share of equal answers, the coefficient with its interval, and what it means."""
    if not found:
        st.caption("Shown once two people have answered the same example.")
        return
    st.dataframe(pd.DataFrame([_agreement_row(each) for each in found]), hide_index=True)


def _agreement_row(each: Agreement) -> dict[str, Any]:
    known = each.kappa is not None and each.low is not None and each.high is not None
    return {
        "Question": each.question,
        "Equal": f"{each.percent:.0f}%",
        "Beyond chance": f"{each.kappa:.2f} [{each.low:.2f}, {each.high:.2f}]" if known else "not defined",
        "In words": interval_in_words(each.kappa, each.low, each.high),
        "n": each.n,
        "Measure": each.measure,
    }


def _verdicts(progress: Progress) -> list[tuple[str, str, str]]:
    found = progress.verdicts
    return [(title, f"{found[name]:,}", meaning) for name, (title, meaning) in VERDICTS.items() if found.get(name)]
