"""The answers a run gives to a few fixed held-out prompts, beside what was expected."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.train.events import in_force
from studio.ui.train.curves import Events
from studio.ui.train.differing import differences
from studio.ui.train.marked import Block, show_marked

LEGEND = (("missing", "expected, not given"), ("extra", "given, not expected"))
PROMPT_SHOWN = 160


def sampled_answers(events: Events, running: bool) -> None:
    """The latest answers; those of earlier steps can be looked at once the run has ended."""
    by_step = samples_by_step(events)
    if not by_step:
        return
    steps = list(by_step)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Its answers to held-out prompts**")
        step = steps[-1]
        if len(steps) > 1 and not running:
            step = st.select_slider("At step", steps, steps[-1], key="answers_at", width=260)
    shown = by_step[step]
    right = sum(each["answer"] == each["expected"] for each in shown)
    st.caption(f"Step {step:,}: {right} of {len(shown)} equal to the data's answer.")
    legend = LEGEND if right < len(shown) else ()
    show_marked("Answers beside what was expected", answer_blocks(shown), key="answers", legend=legend)


def samples_by_step(events: Events) -> dict[int, list[dict[str, Any]]]:
    """The sampled answers of every evaluation that counts."""
    found: dict[int, list[dict[str, Any]]] = {}
    for event in in_force(events):
        if event["kind"] == "sample":
            found.setdefault(int(event["step"]), []).append(event)
    return found


def answer_blocks(samples: list[dict[str, Any]]) -> list[Block]:
    """One block per answer, with its difference from the expected one marked."""
    return [_block(str(each["prompt"]), str(each["expected"]), str(each["answer"])) for each in samples]


def _block(prompt: str, expected: str, answer: str) -> Block:
    short = prompt if len(prompt) <= PROMPT_SHOWN else f"{prompt[:PROMPT_SHOWN]}…"
    title = "Right" if answer == expected else "Different"
    if answer == expected:
        return {"title": title, "note": short, "lines": [{"name": "Answer", "pieces": [_same(answer)]}]}
    wanted, given = differences(expected, answer)
    lines: Any = [{"name": "Expected", "pieces": wanted}, {"name": "Answer", "pieces": given}]
    return {"title": title, "note": short, "lines": lines}


def _same(text: str) -> Any:
    return {"text": text, "mark": "same"}
