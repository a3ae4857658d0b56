"""The table of calls with its facets: what the component is given, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from storage.tables import Project
from studio.access.actor import Role
from studio.capture.explorer.answers import FacetValue
from studio.capture.explorer.answers import Page as CallPage
from studio.capture.filters import LogFilter
from studio.capture.logs import Count, LogRow
from studio.errors import InvalidInput
from studio.ui.capture import place, questions
from studio.ui.capture.address import CHOICES, NUMBERS, SPANS, TAG, is_custom, number_range, sort_word, span_of, toggled
from studio.ui.capture.parts import part, told
from studio.ui.capture.words import FACETS, FIRST, ON_DEMAND, RANGES, label_of
from studio.ui.state import current_actor

KEY = "calls"
SHOWN = "capture_shown"
"""The uids of the page on screen, and the cursor of the next one."""
ASKED = "capture_asked"
"""What somebody asked to do with the calls they selected, until the dialog is open."""
MOST_TAGS, COUNTED_TAGS = 12, 3
"""Tags that are offered, and those of them that are counted before anybody unfolds them."""
UNFOLDED = "capture_unfolded"

_CALLS = part("calls")


def listing(project: Project, newest: int) -> None:
    """Facets and one page of calls."""
    criteria, sort, query = place.criteria(project), place.order(), place.here()
    try:
        page = questions.calls(criteria, sort, place.one("after") or None)
    except InvalidInput:  # the address was edited, or the page it names is gone
        place.turn_to_start()
        page = questions.calls(criteria, sort, None)
    number = questions.count(criteria, newest)
    st.session_state[SHOWN] = ([row.uid for row in page.rows], page.next)
    data = {
        **_rows_of(page, number),
        **_rail_of(criteria, newest, query),
        "sort": sort_word(sort),
        "project": project.id,
        "filter": str(sorted((name, values) for name, values in query.items() if name not in ("call", "panel"))),
        "narrowed": narrowed(query),
        "timed": is_custom(query) or SPANS[span_of(query)] is not None,
        "opened": place.one("call"),
        "live": place.one("live") == "1",
        "may": current_actor().can(Role.EDITOR),
    }
    _CALLS(key=KEY, data=data, on_did_change=_did)


def narrowed(query: Mapping[str, list[str]]) -> bool:
    """Whether any filter but the time is set."""
    return any(query.get(name) for name in ("q", TAG, "source", *CHOICES, *NUMBERS))


def _rows_of(page: CallPage, number: Count) -> dict[str, Any]:
    back_to = page.searched_back_to
    hint = "Try a wider time range or fewer words."
    if back_to:
        hint = f"The search stopped at {back_to:%-d %B %Y, %H:%M} UTC. Narrow the time range to look further back."
    return {
        "rows": [row_facts(row) for row in page.rows],
        "count": {"n": number.n, "exact": number.exact, "text": str(number)},
        "page": {"number": place.page_number(), "back": bool(place.one("after")), "next": bool(page.next)},
        "hint": hint,
    }


def row_facts(row: LogRow) -> dict[str, Any]:
    """A call as the table draws it."""
    return {
        "uid": row.uid,
        "at": round(row.created_at.timestamp() * 1000),
        "model": row.model,
        "served": row.served_model,
        "status": row.status,
        "http": row.http_status,
        "prompt": row.prompt,
        "reply": row.reply,
        "latency": row.latency_ms,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": row.cost_usd,
        "rating": row.rating,
        "score": row.score,
    }


def _rail_of(criteria: LogFilter, newest: int, query: Mapping[str, list[str]]) -> dict[str, Any]:
    tags = [f"tag:{name}" for name in questions.tag_names(criteria, newest)[:MOST_TAGS]]
    names = (*FIRST, *tags, *(name for name in FACETS if name not in FIRST))
    waiting = {*ON_DEMAND, *tags[COUNTED_TAGS:]} - st.session_state.get(UNFOLDED, set())
    waiting = {name for name in waiting if not _chosen(name, query)}
    found = questions.facets(criteria, newest, [name for name in names if name not in waiting])
    shown = [{**facet_facts(name, found.get(name, []), query), "waiting": name in waiting} for name in names]
    ranges = [_range_facts(name, query) for name in RANGES]
    return {"facets": [facet for facet in shown if facet["waiting"] or _is_worth_showing(facet)], "ranges": ranges}


def facet_facts(name: str, values: list[FacetValue], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """A facet as the rail draws it; a chosen value that no call has any more is still there to be taken away."""
    chosen = _chosen(name, query)
    known = {each.value for each in values}
    lines = [{"value": each.value, "label": label_of(name, each), "calls": each.calls} for each in values]
    lines += [{"value": value, "label": value, "calls": 0} for value in chosen if value not in known]
    title = FACETS.get(name) or name.removeprefix("tag:")
    return {"name": name, "title": title, "values": [{**line, "on": line["value"] in chosen} for line in lines]}


def _chosen(name: str, query: Mapping[str, list[str]]) -> list[str]:
    if not name.startswith("tag:"):
        return query.get(name, [])
    start = f"{name.removeprefix('tag:')}="
    return [pair.removeprefix(start) for pair in query.get(TAG, []) if pair.startswith(start)]


def _is_worth_showing(facet: dict[str, Any]) -> bool:
    """A facet with one value that all calls have helps nobody, except for those that one looks for first."""
    values = facet["values"]
    least = 1 if facet["name"] in ("status", "model", "rating") or facet["name"].startswith("tag:") else 2
    return len(values) >= least or any(value["on"] for value in values)


def _range_facts(name: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
    title, unit = RANGES[name]
    low, high = number_range(next(iter(query.get(name, [])), "")) or (None, None)
    return {"name": name, "title": title, "unit": unit, "low": low, "high": high}


def _did() -> None:
    """Do what was clicked; the address changes, and the page is drawn from it."""
    did = told(KEY, "did")
    if verb := _VERBS.get(str(did.get("kind"))):
        verb(did)


def _toggle(did: Mapping[str, Any]) -> None:
    facet, value = str(did.get("facet")), str(did.get("value"))
    if facet in CHOICES or facet == "source" or facet.startswith("tag:"):
        st.session_state.pop(place.BEHIND, None)
        place.go(toggled(place.here(), facet, value))


def _range(did: Mapping[str, Any]) -> None:
    found = number_range(f"{did.get('low', '')}..{did.get('high', '')}")
    if did.get("name") in NUMBERS:
        place.change(**{str(did["name"]): [f"{did.get('low', '')}..{did.get('high', '')}"] if found else []})


def _unfold(did: Mapping[str, Any]) -> None:
    st.session_state.setdefault(UNFOLDED, set()).add(str(did.get("facet"))[:80])


def _open(did: Mapping[str, Any]) -> None:
    place.set_one("call", str(did.get("uid", ""))[:40])


def _act(did: Mapping[str, Any]) -> None:
    uids = [str(uid)[:40] for uid in did.get("uids") or []][:10_000]
    st.session_state[ASKED] = (str(did.get("verb")), () if did.get("everything") else tuple(uids))


_VERBS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "toggle": _toggle,
    "range": _range,
    "open": _open,
    "unfold": _unfold,
    "act": _act,
    "sort": lambda did: place.change(sort=[] if did.get("by") == "-created_at" else [str(did.get("by"))]),
    "next": lambda _did: place.turn(st.session_state.get(SHOWN, ((), None))[1]),
    "back": lambda _did: place.turn_back(),
    "clear": lambda _did: place.clear(),
    "anytime": lambda _did: place.change(**{"range": ["All"], "from": [], "to": []}),
}
