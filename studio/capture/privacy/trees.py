"""JSON values cleaned in place: every text, every field name, and numbers that are payment cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.capture.privacy.scrub import Scrub

SMALLEST_CARD = 10**12
SHORTEST_NAME = 3
TAGS = "metadata"
"""What a request says under this name become tags, which calls are found by: equal values stay equal."""


def clean_tree(value: Any, scrub: Scrub, depth: int = 0) -> Any:
    """The value, cleaned in place where it can be; without recursion, for a body may be nested a thousand times."""
    holder = [value]
    waiting: list[tuple[str, Any]] = [("", holder)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, list):
            _clean_list(node, name, scrub, depth, waiting)
        else:
            _clean_object(node, name, scrub, depth, waiting)
    return holder[0]


def _clean_list(node: list[Any], name: str, scrub: Scrub, depth: int, waiting: list[tuple[str, Any]]) -> None:
    for place, item in enumerate(node):
        if (new := _cleaned(item, name, scrub, depth, waiting)) is not item:
            node[place] = new


def _clean_object(node: dict[str, Any], own: str, scrub: Scrub, depth: int, waiting: list[tuple[str, Any]]) -> None:
    renamed = {}
    for name, item in node.items():
        if (new := _cleaned(item, TAGS if own == TAGS else name, scrub, depth, waiting)) is not item:
            node[name] = new
        if len(name) >= SHORTEST_NAME and (told := scrub.text(name)) is not name:
            renamed[name] = told
    if renamed:
        _rename(node, renamed)


def _cleaned(item: Any, name: str, scrub: Scrub, depth: int, waiting: list[tuple[str, Any]]) -> Any:
    kind = type(item)
    if kind is str:
        return scrub.field(name, item, depth)
    if kind is dict or kind is list:
        waiting.append((name, item))
    elif kind is int and item >= SMALLEST_CARD:
        return scrub.number(item)
    return item


def _rename(node: dict[str, Any], renamed: dict[str, str]) -> None:
    """Put the cleaned names in place, in order; two that become the same are told apart by a number."""
    items = list(node.items())
    node.clear()
    for name, item in items:
        new, number = renamed.get(name, name), 2
        while new in node:
            new, number = f"{renamed.get(name, name)} {number}", number + 1
        node[new] = item
