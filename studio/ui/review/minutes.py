"""The minutes of a session: what was decided, by whom, and what it changed; to read, and to take along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from storage.tables import ReviewSession
from studio.label.review.shapes import Decided, Minutes
from studio.ui.components import metric_row, next_step, page_header
from studio.ui.formats import plain
from studio.ui.review.back import back_to_list
from studio.ui.state import current_studio

LONGEST = 300
WIDE = {
    "#": st.column_config.NumberColumn(width=40),
    "Prompt": st.column_config.TextColumn(width=260),
    "Answer": st.column_config.TextColumn(width=260),
    "Note": st.column_config.TextColumn(width=160),
}


def show_minutes(review: ReviewSession) -> None:
    """The whole of it, with the Markdown to download."""
    reviews = current_studio().reviews
    found: Minutes = reviews.minutes(review.id)
    page_header(f"Minutes: {plain(found.title)}", _caption(found))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        back_to_list()
        st.space("stretch")
        st.download_button(
            "Download minutes",
            reviews.minutes_markdown(review.id),
            file_name="minutes.md",
            mime="text/markdown",
            icon=":material/download:",
            type="primary",
        )
    _figures(found)
    _rows("To training", found.to_training)
    _rows("To golden", found.to_golden)
    _rows("Dropped", found.dropped)
    _guidelines(found)
    _rows("Open questions", found.open_questions)
    _agreement(found)
    next_step("Freeze a version with these decisions on Curate", "curate")


def _figures(found: Minutes) -> None:
    kept = {"To training": found.to_training, "To golden": found.to_golden, "Dropped": found.dropped}
    metric_row([(name, f"{len(rows):,}") for name, rows in {**kept, "Open questions": found.open_questions}.items()])


def _caption(found: Minutes) -> str:
    spent = f"{found.minutes_spent:.0f} min" if found.minutes_spent >= 1 else "under a minute"
    pace = f", {found.seconds_per_item:.0f} s each" if found.seconds_per_item is not None else ""
    done = f"{found.items - found.undecided:,} of {found.items:,} decided in {spent}{pace}."
    return f"{done} {plain(found.chair)} had the chair; {_names(found.people)} took part."


def _rows(title: str, rows: Sequence[Decided]) -> None:
    if not rows:
        return
    st.subheader(f"{title} ({len(rows):,})", anchor=False)
    st.dataframe(
        pd.DataFrame([_row(each) for each in rows]), hide_index=True, key=f"minutes_{title}", column_config=WIDE
    )


def _row(each: Decided) -> dict[str, Any]:
    moved = f"moved from {each.moved_from}" if each.moved_from else ""
    seen = f"seen in training by version {', '.join(map(str, each.frozen_in))}" if each.frozen_in else ""
    return {
        "#": each.position + 1,
        "Prompt": each.prompt[:LONGEST],
        "Answer": each.output[:LONGEST],
        "Verdict": each.verdict.replace("_", " "),
        "For it": f"{each.for_it} of {each.votes}" if each.votes else "",
        "Decided by": each.decided_by,
        "Note": ". ".join(part for part in (each.note, moved, seen) if part),
    }


def _guidelines(found: Minutes) -> None:
    if not found.guidelines:
        return
    st.subheader("Changed guidelines", anchor=False)
    for each in found.guidelines:
        where = f"{each.task}, version {each.version}" if each.task else "not part of a task's guidelines yet"
        st.caption(f"{plain(where)}, by {plain(each.decided_by)}")
        st.text(each.rule)


def _agreement(found: Minutes) -> None:
    before, after = (
        {each["question"]: each for each in side} for side in (found.agreement_before, found.agreement_after)
    )
    if not before and not after:
        return
    st.subheader("Agreement before and after", anchor=False)
    rows = [
        {"Question": name, "Before": _equal(before.get(name)), "After": _equal(after.get(name))}
        for name in dict.fromkeys([*before, *after])
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="minutes_agreement")


def _equal(each: dict[str, Any] | None) -> str:
    if each is None:
        return "not measured"
    value = each.get("value")
    beyond = f", {value:.2f} beyond chance" if value is not None else ""
    return f"{each['percent']:.0f}% equal{beyond}, n = {each['n']:,}"


def _names(people: Sequence[str]) -> str:
    return plain(", ".join(people)) or "nobody"
