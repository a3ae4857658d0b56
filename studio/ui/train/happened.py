"""What happened during a run, in plain words: picks, checkpoints, memory, stops and resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from studio.ui.formats import ago, plain
from studio.ui.train.curves import Events

SHOWN = 8


@dataclass(frozen=True)
class Told:
    """One event in words."""

    icon: str
    text: str
    at: datetime | None


def happened(events: Events) -> None:
    """The newest events in words, the rest behind one click."""
    told = in_words(events)
    for each in told[:SHOWN]:
        _line(each)
    if len(told) > SHOWN:
        with st.expander(f"{len(told) - SHOWN} earlier", key="earlier_events"):
            for each in told[SHOWN:]:
                _line(each)


def in_words(events: Events) -> list[Told]:
    """Every event that has words, newest first; of the checkpoints only the last."""
    last = next((event for event in reversed(events) if event["kind"] == "checkpoint"), None)
    kept = [event for event in events if event["kind"] != "checkpoint" or event is last]
    return [told for event in reversed(kept) if (told := _told(event))]


def _line(told: Told) -> None:
    when = f" · {ago(told.at)}" if told.at else ""
    st.markdown(f":material/{told.icon}: {plain(told.text)}:gray[{when}]")


def _told(event: dict[str, Any]) -> Told | None:
    known = _WORDS.get(str(event["kind"]))
    if known is None:
        return None
    icon, words = known
    text, at = words(event), event.get("at")
    return Told(icon, text, datetime.fromtimestamp(float(at), UTC) if at else None) if text else None


def _begun(event: dict[str, Any]) -> str:
    if event.get("resumed_at"):
        return f"Went on from the checkpoint at step {event['resumed_at']:,}."
    return f"Began; {event.get('max_steps', 0):,} steps are planned."


def _memory(event: dict[str, Any]) -> str:
    size, smaller = event.get("micro_from"), event.get("micro_to")
    at = f" at step {event['step']:,}" if event.get("step") else ""
    return (
        f"Out of memory{at}: {size} rows at once became {smaller}, gathered {event.get('accumulation')} times "
        "per step. It learns the same, a little slower."
    )


def _nan(event: dict[str, Any]) -> str:
    kept = event.get("last_good")
    text = f"The loss stopped being a number at step {event.get('step', 0):,}, so training stopped."
    return f"{text} The checkpoint at step {kept:,} is kept." if kept else text


def _picked(event: dict[str, Any]) -> str:
    what, why = str(event.get("what", "")), str(event.get("why", ""))
    return f"Picked {what}: {why}" if what and why else ""


_WORDS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "train_begin": ("play_arrow", _begun),
    "picked": ("tune", _picked),
    "checkpoint": ("save", lambda event: f"Checkpoint saved at step {event.get('step', 0):,}."),
    "oom": ("memory", _memory),
    "nan": ("error", _nan),
    "stopped": ("pause", lambda event: f"Stopped at step {event.get('step', 0):,}; what it learned so far is kept."),
    "done": ("check", lambda _event: "Done; the best checkpoint is the result."),
    "failed": ("error", lambda _event: "Failed; the reason is above."),
}
