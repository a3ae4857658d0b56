"""Test prompts: conversations that every new revision has to answer, and what the answers must be like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from pydantic import ValidationError

from storage.tables import Deployment
from studio.deploy.gates import smoke_prompts as smoke_rules
from studio.deploy.rules import SmokePrompt
from studio.errors import InvalidInput
from studio.ui.formats import milliseconds, plain
from studio.ui.state import current_actor, current_studio, reported_errors

EDITED = "smoke_edited"
NEW = -1
Prompt = Mapping[str, Any]
JSON_KINDS = {"no": "Anything", "any": "JSON", "schema": "JSON like a schema"}


@dataclass(frozen=True)
class Typed:
    """A prompt as somebody typed it."""

    name: str
    system: str
    user: str
    contains: str = ""
    regex: str = ""
    kind: str = "no"
    schema: str = ""
    most: float | None = None


def smoke_prompts(deployment: Deployment) -> None:
    """The list, and the form for the one that is edited."""
    prompts = list((deployment.rules or {}).get("smoke") or [])
    edited = st.session_state.get(EDITED)
    if edited is not None and edited < len(prompts):
        _form(deployment, prompts, edited)
        return
    st.caption("Each is asked of every new revision before it may have traffic. A wrong answer turns its gate red.")
    for place, prompt in enumerate(prompts):
        _row(deployment, prompts, place, prompt)
    if st.button("Add prompt", icon=":material/add:", key="smoke_add"):
        _edit(NEW)


def _edit(place: int | None) -> None:
    st.session_state[EDITED] = place
    st.rerun(scope="fragment")


def _row(deployment: Deployment, prompts: list[Prompt], place: int, prompt: Prompt) -> None:
    with st.container(border=True, gap="xsmall", key=f"smoke_{place}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(str(prompt['name']))}**", width="stretch")
            tried = st.button("Try", key=f"smoke_try_{place}", type="tertiary", icon=":material/play_arrow:")
            if st.button("Change", key=f"smoke_edit_{place}", type="tertiary", icon=":material/edit:"):
                _edit(place)
            if st.button("Delete", key=f"smoke_delete_{place}", type="tertiary", icon=":material/delete:"):
                _save(deployment, [each for at, each in enumerate(prompts) if at != place])
        st.caption(plain(wanted_in_words(prompt)))
        if tried:
            _try(deployment, prompt)


def wanted_in_words(prompt: Prompt) -> str:
    """contains “refund” · is JSON · within 2.0 s."""
    schema = prompt.get("json")
    parts = [
        f"contains “{prompt['contains']}”" if prompt.get("contains") else "",
        f"matches {prompt['regex']}" if prompt.get("regex") else "",
        "is JSON like a schema" if isinstance(schema, dict) else "is JSON" if schema else "",
        f"within {milliseconds(prompt['max_ms'])}" if prompt.get("max_ms") else "",
    ]
    return " · ".join(part for part in parts if part) or "any answer that is not empty"


def _try(deployment: Deployment, prompt: Prompt) -> None:
    """Ask the newest ready revision once."""
    studio = current_studio()
    ready = next((each for each in studio.deployments.revisions(deployment.id) if each.state == "ready"), None)
    if ready is None:
        st.caption("No revision is ready to be asked. Deploy a model first.")
        return
    with reported_errors():
        result = studio.deployments.try_smoke(current_actor(), ready.id, dict(prompt))
        icon, color = ("check_circle", "green") if result.passed else ("cancel", "red")
        told = str(result.evidence.get("why") or f"Revision {ready.number} answers as wanted.")
        st.markdown(f":{color}[:material/{icon}:] {plain(told)}")
        for row in result.evidence.get("rows", []):
            st.caption(f"In {milliseconds(row['ms'])}")
            st.code(row["answer"] or "(an empty answer)", language=None, wrap_lines=True)


def _form(deployment: Deployment, prompts: list[Prompt], place: int) -> None:
    known: Prompt = prompts[place] if place != NEW else {}
    typed, spots = _fields(known, f"smoke_{place}")
    with st.container(horizontal=True, gap="small"):
        saved = st.button("Save prompt", type="primary", key="smoke_save")
        if st.button("Cancel", key="smoke_cancel", type="tertiary"):
            _edit(None)
    if not saved:
        return
    given, problems = prompt_of(typed)
    for field, what in problems.items():
        spots.get(field, spots["name"]).markdown(f":red[:material/error: {plain(what)}]")
    if not problems:
        kept = [*prompts, given] if place == NEW else [*prompts[:place], given, *prompts[place + 1 :]]
        st.session_state[EDITED] = None
        _save(deployment, kept)


def _fields(known: Prompt, key: str) -> tuple[Typed, dict[str, Any]]:
    """What is typed, and where to say what is wrong with it."""
    said = {each["role"]: each["content"] for each in known.get("messages", [])}
    spots: dict[str, Any] = {}
    name = st.text_input(
        "Name", known.get("name", ""), max_chars=80, placeholder="Refunds are billing", key=f"{key}_name"
    )
    spots["name"] = st.empty()
    system = st.text_area("System", said.get("system", ""), height=68, key=f"{key}_system")
    user = st.text_area("User", said.get("user", ""), height=100, key=f"{key}_user")
    spots["messages"] = st.empty()
    left, right = st.columns(2, gap="small")
    contains = left.text_input("The answer contains", known.get("contains") or "", key=f"{key}_contains")
    regex = right.text_input("It matches (regular expression)", known.get("regex") or "", key=f"{key}_regex")
    spots["regex"] = right.empty()
    kind = _json_kind(left, known.get("json"), key)
    most = right.number_input(
        "It takes at most, ms", 1.0, None, known.get("max_ms"), format="%g", key=f"{key}_ms", placeholder="Any time"
    )
    schema = _schema(known.get("json"), key) if kind == "schema" else ""
    spots["json"] = st.empty()
    return Typed(name, system or "", user or "", contains, regex, kind, schema, most), spots


def _json_kind(column: Any, known: Any, key: str) -> str:
    now = "schema" if isinstance(known, dict) else "any" if known else "no"
    kinds = list(JSON_KINDS)
    return str(
        column.selectbox("It is", kinds, kinds.index(now), format_func=JSON_KINDS.__getitem__, key=f"{key}_json")
    )


def _schema(known: Any, key: str) -> str:
    text = json.dumps(known, indent=1, ensure_ascii=False) if isinstance(known, dict) else ""
    return st.text_area("JSON schema", text, height=120, key=f"{key}_schema") or ""


def prompt_of(typed: Typed) -> tuple[dict[str, Any], dict[str, str]]:
    """What was typed as a prompt, and what is wrong with it by field."""
    told = [{"role": "system", "content": typed.system}] if typed.system.strip() else []
    told += [{"role": "user", "content": typed.user}] if typed.user.strip() else []
    wanted, problems = _json_wanted(typed.kind, typed.schema)
    given: dict[str, Any] = {"contains": typed.contains, "regex": typed.regex, "max_ms": typed.most, **wanted}
    given = {field: value for field, value in given.items() if value not in ("", None)}
    given = {"name": typed.name.strip(), "messages": told, **given}
    return given, problems_of(given) | problems


def _json_wanted(kind: str, schema: str) -> tuple[dict[str, Any], dict[str, str]]:
    if kind == "no":
        return {}, {}
    if kind == "any":
        return {"json": True}, {}
    try:
        found = json.loads(schema)
    except ValueError as error:
        return {}, {"json": f"The schema is no JSON: {error}"}
    return ({"json": found}, {}) if isinstance(found, dict) else ({}, {"json": "A schema is a JSON object."})


WORDS = {"name": "Give it a name.", "messages": "Write what the user says."}


def problems_of(given: Prompt) -> dict[str, str]:
    """Field → what is wrong with it."""
    try:
        SmokePrompt.model_validate(given)
        smoke_rules({"smoke": [dict(given)]})
    except ValidationError as error:
        found = {str(one["loc"][0]): str(one["msg"]).removeprefix("Value error, ") for one in error.errors()}
        return {field: WORDS.get(field, f"{what[:1].upper()}{what[1:]}.") for field, what in found.items()}
    except InvalidInput as error:
        return {"json" if "json" in error.message else "regex": error.message}
    return {}


def _save(deployment: Deployment, prompts: list[Prompt]) -> None:
    with reported_errors():
        rules = {**(deployment.rules or {}), "smoke": [dict(each) for each in prompts]}
        current_studio().deployments.set_rules(current_actor(), deployment.id, rules)
        st.rerun(scope="fragment")
