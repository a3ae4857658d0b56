"""The ways to learn as cards: what each is for in one sentence, and what is missing where it cannot start."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from studio.train.methods.offers import Offer
from studio.ui.formats import plain
from studio.ui.navigation import page_named, pages_for
from studio.ui.state import current_actor
from studio.ui.train.unfold import unfold

METHOD, FIRST, THEN = "train_method", "sft", "train_then"
IN_FRONT = ("sft", "dpo", "kto", "grpo")
"""What most people choose between; the others are one click away."""


def choose_method(offers: Sequence[Offer]) -> str:
    """One card per way to learn; the name of the chosen one, which the version has the data for."""
    chosen = _chosen(offers)
    front = [offer for offer in offers if offer.method.name in IN_FRONT]
    others = [offer for offer in offers if offer.method.name not in IN_FRONT]
    _grid(sorted(front, key=lambda offer: IN_FRONT.index(offer.method.name)), chosen)
    open_first = any(offer.method.name == chosen for offer in others)
    with unfold(
        f"{len(others)} more ways to learn", icon="more_horiz", key="more_methods", expanded=open_first
    ) as opened:
        if opened:
            _grid(others, chosen)
    return chosen


def choose_then(offers: Sequence[Offer], chosen: str) -> str | None:
    """The method to train on the result, where the first one only lays the ground; None for no chain."""
    stages = {offer.method.name: offer.method.stage for offer in offers}
    labels = {each.method.name: each.method.label for each in offers if each.available and each.method.stage == "after"}
    if stages.get(chosen) != "first" or not labels:
        return None
    return st.selectbox(
        "Then, on the result",
        list(labels),
        index=None,
        placeholder="Nothing more",
        format_func=labels.__getitem__,
        key=THEN,
        width=380,
        help="A second run starts from the model that the first one makes. Both are in the queue at once.",
    )


def _chosen(offers: Sequence[Offer]) -> str:
    """What was clicked, unless this version lacks the data for it."""
    wanted = st.session_state.get(METHOD, FIRST)
    available = [offer.method.name for offer in offers if offer.available]
    return wanted if wanted in available or not available else available[0]


def _grid(offers: Sequence[Offer], chosen: str) -> None:
    with st.grid(4, min_column_width=210, gap="small"):
        for offer in offers:
            with st.container(border=True, gap="xsmall", height="stretch", key=f"method_{offer.method.name}"):
                _card(offer, is_chosen=offer.method.name == chosen)


def _card(offer: Offer, is_chosen: bool) -> None:
    method = offer.method
    st.button(
        f":primary[**{method.label}**]" if is_chosen else method.label,
        key=f"learn_{method.name}",
        icon=":material/radio_button_checked:" if is_chosen else ":material/radio_button_unchecked:",
        width="stretch",
        disabled=not offer.available,
        on_click=_choose,
        args=(method.name,),
    )
    st.caption(method.about)
    if offer.available and not offer.hint:
        st.caption(f":material/check: {plain(offer.sentence)}")
    else:
        icon = "info" if offer.available else "block"
        st.caption(f":material/{icon}: {plain(offer.sentence)}")
        _where_to_get_more(offer)


def _where_to_get_more(offer: Offer) -> None:
    page = page_named(offer.method.need.page)
    if page in pages_for(current_actor().role):
        st.page_link(page.path, label=f"Open {page.title}", icon=":material/arrow_forward:", icon_position="right")


def _choose(name: str) -> None:
    st.session_state[METHOD] = name
