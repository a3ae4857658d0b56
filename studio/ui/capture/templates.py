"""The Prompt templates tab: what the project's prompts are made of, and how they changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from storage.tables import Project
from studio.capture.templates import TemplateRow
from studio.ui.capture import place
from studio.ui.capture.differing import shortened, word_changes
from studio.ui.capture.parts import part, told
from studio.ui.components import empty_state
from studio.ui.formats import ago, percent
from studio.ui.state import current_studio

KEY = "templates"
MOST = 40
"""Templates that are drawn; the rest is rare."""

_TEMPLATES = part("templates")


def templates_view(project: Project) -> None:
    """Every template, most used first."""
    rows = current_studio().templates.all(project.id)
    if not rows:
        empty_state(
            "text_snippet",
            "No prompt template found yet",
            "Templates are found once several calls share most of their prompt, a few seconds after they arrive.",
        )
        return
    known = {row.id: row for row in rows}
    st.caption(summary(rows))
    data = {"templates": [template_facts(row, known) for row in rows[:MOST]], "open": place.one("template")}
    _TEMPLATES(key=KEY, data=data, on_show_change=_show)


def summary(rows: list[TemplateRow]) -> str:
    """How many there are, and whether the prompt changed lately."""
    covered = percent(min(1.0, sum(row.share for row in rows)), 0)
    many = "1 template covers" if len(rows) == 1 else f"{len(rows):,} templates cover"
    edited = max((row.first_seen for row in rows if row.previous_id), default=None)
    changed = f" Your prompt last changed {ago(edited)}." if edited else " None is an edit of another."
    return f"{many} {covered} of the calls.{changed}"


def template_facts(row: TemplateRow, known: Mapping[str, TemplateRow]) -> dict[str, Any]:
    """A template as it is drawn, with the words that changed since the one it is an edit of."""
    before = known.get(row.previous_id or "")
    pieces = shortened(word_changes(before.text, row.text)) if before else []
    return {
        "id": row.id,
        "name": row.name,
        "messages": [[role, list(parts)] for role, parts in row.messages],
        "calls": row.calls,
        "share": row.share,
        "constant": row.constant,
        "first": round(row.first_seen.timestamp() * 1000),
        "last": round(row.last_seen.timestamp() * 1000),
        "changes": pieces,
    }


def _show() -> None:
    """Show the calls that were made from a template."""
    if show := told(KEY, "show"):
        place.change(template=[str(show.get("id", ""))[:32]], tab=[])
