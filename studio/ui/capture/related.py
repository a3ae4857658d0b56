"""Calls that belong to this one: its trace, its session, the same prompt, prompts alike; and what it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from storage.tables import LogEntry
from studio.capture.logs import LogRow
from studio.ui.capture import place
from studio.ui.capture.listing import row_facts
from studio.ui.capture.parts import part, told
from studio.ui.navigation import page_path
from studio.ui.state import current_studio

KEY = "related_calls"
_LISTS = part("lists")


def related(entry: LogEntry) -> None:
    """What the call became, then every list that has more than the call itself."""
    became(entry)
    lists = _lists(entry)
    if lists:
        _LISTS(key=KEY, data={"lists": lists, "here": entry.uid}, on_open_change=_open)
    else:
        st.caption("No other call has its trace, its session or a prompt like it.")


def _lists(entry: LogEntry) -> list[dict[str, Any]]:
    explorer = current_studio().explorer
    found = explorer.related(entry)
    same = explorer.duplicates(entry.project_id, entry.uid)
    alike = explorer.similar(entry.project_id, entry.uid)
    lists = [
        _list("Trace", entry.trace_id or "", found.trace, nested=True),
        _list("Session", entry.session_id or "", found.session),
        _list("Same prompt", "asked exactly the same", same),
        {**_list("Similar prompts", "", [each.row for each in alike]), "least": 1},
    ]
    for row, each in zip(lists[3]["rows"], alike, strict=True):
        row["note"] = f"{each.similarity:.0%} alike"
    return [shown for shown in lists if [row for row in shown["rows"] if row["uid"] != entry.uid]]


def _list(title: str, note: str, rows: Sequence[LogRow], nested: bool = False) -> dict[str, Any]:
    depths = depths_of(rows) if nested else {}
    return {
        "title": title,
        "note": note,
        "rows": [{**row_facts(row), "indent": depths.get(row.uid, 0)} for row in rows],
    }


def depths_of(rows: Sequence[LogRow]) -> dict[str, int]:
    """How deep each call lies in its trace, as far as the parents are calls too."""
    parents = {row.span_id: row.parent_span_id for row in rows}
    return {row.uid: _depth(row.span_id, parents) for row in rows}


def _depth(span: str | None, parents: Mapping[str | None, str | None]) -> int:
    depth, seen = 0, {span}
    while (span := parents.get(span)) in parents and span is not None and span not in seen:
        seen.add(span)
        depth += 1
    return min(depth, 6)


def became(entry: LogEntry) -> None:
    """Links to the deployment and revision that answered, and to the dataset examples made of the call."""
    studio = current_studio()
    with st.container(horizontal=True, gap="small"):
        if entry.deployment_id:
            query = {"id": entry.deployment_id}
            st.page_link(
                page_path("deploy"),
                label="The deployment that answered",
                icon=":material/rocket_launch:",
                query_params=query,
            )
        for example, dataset in studio.datasets.made_of(entry.id or 0):
            words = f"{example.split} example in {dataset.name}" + (
                f", left out: {example.excluded}" if example.excluded else ""
            )
            st.page_link(
                page_path("curate"), label=words, icon=":material/dataset:", query_params={"dataset": dataset.id}
            )


def _open() -> None:
    if opened := told(KEY, "open"):
        place.set_one("call", str(opened.get("uid", ""))[:40])
