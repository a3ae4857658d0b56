"""Facets: the values one can filter by, each with the calls it would show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.capture.explorer.conditions import Where, kind_masks
from studio.capture.explorer.kinds import Kinds
from studio.capture.explorer.questions import Question

OF_KINDS = {
    "model": ("models", "model"),
    "served_model": ("served_models", "served_model"),
    "deployment": ("deployments", "deployment_id"),
    "revision": ("revisions", "revision_id"),
    "provider": ("providers", "provider_id"),
    "api_key": ("api_keys", "api_key_id"),
    "status": ("statuses", "status"),
    "endpoint": ("endpoints", "endpoint"),
    "source": ("source", "source"),
    "language": ("languages", "language"),
    "template": ("templates", "template_id"),
    "finish_reason": ("finish_reasons", "finish_reason"),
    "rating": ("ratings", "rating"),
}
"""Facet → (condition of the filter, column of a kind)."""
OF_CALLS = {"user": ("users", "user_id"), "session": ("sessions", "session_id")}
FACETS = (*OF_KINDS, "has")
"""What is counted when nothing is said; `user`, `session` and `tag:<name>` have to be asked for."""

Counted = list[tuple[str, int]]


def count_facets(question: Question, kinds: Kinds, names: Sequence[str], most: int) -> dict[str, Counted]:
    """Values with their calls, most first. A facet is counted with all other conditions on and its own off."""
    found: dict[str, Counted] = {}
    of_kinds = [name for name in names if name in FACETS]
    if of_kinds:
        found = _of_kinds(question, kinds, of_kinds, most)
    for name in names:
        if name in OF_CALLS:
            found[name] = _of_calls(question, name, most)
        elif name.startswith("tag:"):
            found[name] = _of_tag(question, name, most)
    return {name: found.get(name, []) for name in names}


def tag_names(question: Question, most: int) -> list[str]:
    """Names of tags, those of most calls first."""
    where = Where()
    where.add("project_id = {}", question.criteria.project_id)
    order = f"ORDER BY calls DESC, tag LIMIT {most}"
    return [row[0] for row in question.run(f"SELECT tag FROM tag_name WHERE {where.sql} {order}", where)]


def _of_kinds(question: Question, kinds: Kinds, names: Sequence[str], most: int) -> dict[str, Counted]:
    """All of them in one pass over the calls: kinds are counted first."""
    counted = kinds.counted(question.cursor, *question.kinds())
    met = kind_masks(counted, question.criteria)
    found: dict[str, Counted] = {}
    for name in names:
        condition, column = ("has", "") if name == "has" else OF_KINDS[name]
        chosen = np.logical_and.reduce([mask for on, mask in met.items() if on != condition])
        values = counted.by_flag(chosen) if name == "has" else counted.by(column, chosen)
        found[name] = sorted(values, key=lambda each: (-each[1], each[0]))[:most]
    return found


def _of_calls(question: Question, name: str, most: int) -> Counted:
    condition, column = OF_CALLS[name]
    where = question.where(without=condition)
    order = f"GROUP BY {column} ORDER BY 2 DESC, 1 LIMIT {most}"
    return question.run(
        f"SELECT {column}, count(*) FROM call WHERE {where.sql} AND {column} IS NOT NULL {order}", where
    )


def _of_tag(question: Question, name: str, most: int) -> Counted:
    calls, tag = question.where(without=name), name.removeprefix("tag:")
    order = f"GROUP BY value ORDER BY 2 DESC, 1 LIMIT {most}"
    if column := question.tag_columns.get(tag):
        sql = f"SELECT {column} AS value, count(*) FROM call WHERE {calls.sql} AND {column} IS NOT NULL {order}"
        return question.run(sql, calls)
    where = Where(values=calls.values)
    number = "SELECT name FROM tag_name WHERE project_id = {} AND tag = {}"
    where.add(f"name = ({number})", question.criteria.project_id, tag)
    where.parts.append(f"call IN (SELECT id FROM call WHERE {calls.sql})")
    return question.run(f"SELECT value, count(*) FROM call_tag WHERE {where.sql} {order}", where)
