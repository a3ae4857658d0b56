"""The playground: the same question to two revisions, or to the alias as callers reach it, answered side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import streamlit as st

from studio.access.actor import Role
from studio.deploy.gates import golden_prompts
from studio.deploy.overview import Overview
from studio.ui.deploy.naming import route_names
from studio.ui.deploy.race import Side, race
from studio.ui.formats import milliseconds, plain
from studio.ui.state import current_actor, current_studio

GATEWAY, NOBODY = "gateway", "nobody"
TRIED = "tried"
Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """One question, and to whom."""

    messages: Messages
    max_tokens: int
    temperature: float
    key: str


def playground(found: Overview) -> None:
    """Choose two, ask once, and watch both answers come in."""
    names = who_can_be_asked(found)
    sides = _choose(names)
    key = ""
    if GATEWAY in sides:
        key = st.text_input("API key", type="password", key="try_key", width=360, autocomplete="off")
    asked, clicked = _question(found, key)
    title = [names[side] for side in sides]
    if clicked:
        _run(found, sides, title, asked)
    elif st.session_state.get(TRIED, {}).get("title") == title:
        _draw(title, _spots(title), st.session_state[TRIED]["sides"])


def who_can_be_asked(found: Overview) -> dict[str, str]:
    """Revisions with a server, newest first, and the alias through the gateway."""
    names = route_names(found)
    running = [view.revision.id for view in found.revisions if view.revision.endpoint]
    return {key: names[key] for key in running} | {GATEWAY: f"{found.deployment.alias}, through the gateway"}


def _choose(names: dict[str, str]) -> list[str]:
    options = list(names)
    with st.container(horizontal=True, gap="small"):
        left = st.selectbox("Ask", options, format_func=names.__getitem__, key="try_left", width=360)
        others = [NOBODY, *(key for key in options if key != left)]
        shown = names | {NOBODY: "Nobody"}
        right = st.selectbox(
            "Beside it",
            others,
            index=1 if len(others) > 2 else 0,
            format_func=shown.__getitem__,
            key=f"try_right_{left}",
            width=360,
        )
    return [side for side in (left, right) if side not in (NOBODY, None)]


def _question(found: Overview, key: str) -> tuple[Asked, bool]:
    system, user = example(found)
    system = st.text_area("System", system, key="try_system", height=68) or ""
    user = st.text_area("User", user, key="try_user", height=110) or ""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        temperature = st.number_input("Temperature", 0.0, 2.0, 0.0, 0.1, key="try_temperature", width=140)
        most = st.number_input("Most tokens", 1, 4096, 256, key="try_tokens", width=140)
        can_ask = current_actor().can(Role.EDITOR) and bool(user.strip())
        clicked = st.button("Send", icon=":material/send:", key="try_send", disabled=not can_ask)
    told: Messages = [{"role": "system", "content": system}] if system.strip() else []
    return Asked([*told, {"role": "user", "content": user}], int(most), float(temperature), key), clicked


def _run(found: Overview, sides: list[str], title: list[str], asked: Asked) -> None:
    spots = _spots(title)
    streams = {side: _stream(found.deployment.alias, side, asked) for side in sides}
    state: dict[str, Side] = {}
    for state in race(streams):
        _draw(title, spots, [state[side] for side in sides])
    st.session_state[TRIED] = {"title": title, "sides": [state[side] for side in sides]}


def _spots(title: list[str]) -> list[Any]:
    """A column per side, each with a place whose content is put anew as tokens come in."""
    columns = st.columns(len(title), gap="small")
    return [column.container(key=f"try_side_{place}").empty() for place, column in enumerate(columns)]


def _draw(title: list[str], spots: list[Any], sides: list[Side]) -> None:
    for name, spot, side in zip(title, spots, sides, strict=True):
        with spot.container(border=True, gap="xsmall"):
            st.markdown(f"**{plain(name)}**")
            st.caption(timing(side))
            if side.error:
                st.error(plain(side.error), icon=":material/error:")
            if side.text or not side.error:
                st.code(side.text or ("…" if side.total_s is None else "(an empty answer)"), None, wrap_lines=True)


def timing(side: Side) -> str:
    """First token 120 ms · whole answer 1.2 s."""
    if side.first_s is None:
        return "Waiting for the first token" if side.total_s is None else "No answer"
    first = f"First token {milliseconds(side.first_s * 1000)}"
    return first if side.total_s is None else f"{first} · whole answer {milliseconds(side.total_s * 1000)}"


def _stream(alias: str, side: str, asked: Asked) -> Callable[[], Iterator[str]]:
    deployments, actor = current_studio().deployments, current_actor()
    if side == GATEWAY:
        return lambda: deployments.stream_gateway(asked.key, alias, asked.messages, asked.max_tokens, asked.temperature)
    return lambda: deployments.stream(actor, side, asked.messages, asked.max_tokens, asked.temperature)


def example(found: Overview) -> tuple[str, str]:
    """A golden prompt to start from."""
    prompts = (prompt for view in found.revisions for prompt in golden_prompts(view.model))
    first = next(prompts, None)
    said = {each["role"]: str(each.get("content") or "") for each in (first.messages if first else [])}
    return said.get("system", ""), said.get("user", "")
