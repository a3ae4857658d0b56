"""Passing a model on: its card, a push to the Hub or a folder, a bundle that another server starts from."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from storage.tables import Model
from studio.access.actor import Role
from studio.deploy.bundles.port import LaunchBundle
from studio.deploy.overview import Overview
from studio.deploy.publish.destinations import Source
from studio.ui.components import active_jobs
from studio.ui.formats import ago, plain
from studio.ui.state import current_actor, current_studio, reported_errors
from studio.ui.train.unfold import unfold

LARGEST_DOWNLOAD = 300 << 20
WHERE = "hub:organisation/name, fireworks:account/name, together:name, /shared/models/name or s3://bucket/name"


def passing_on(found: Overview) -> None:
    """For one of the alias's models at a time."""
    models = {view.model.id: view.model for view in found.revisions if view.model.digest}
    if not models:
        st.caption("Deploy a model with weights of its own first; then it can be published or served elsewhere.")
        return
    chosen = st.selectbox("Model", list(models), format_func=lambda key: models[key].name, key="pass_on", width=360)
    model = models[chosen]
    with unfold("Model card", icon="description", key="model_card") as opened:
        if opened:
            card_part(model)
    with unfold("Publish", icon="upload", key="publish_model", expanded=True) as opened:
        if opened:
            publish_part(model)
    with unfold("Serve it elsewhere", icon="folder_zip", key="launch_bundle") as opened:
        if opened:
            bundle_part(model)


def card_part(model: Model) -> None:
    """The model card, as text."""
    text = current_studio().publishing.card(model.id)
    st.caption(
        "Written from the run, the data version, the newest evaluation and the releases. Nothing users wrote is in it."
    )
    st.code(text, language="markdown", height=360)
    st.download_button("Download the card", text, "README.md", "text/markdown", icon=":material/download:")


def publish_part(model: Model) -> None:
    """Where it was pushed, and a form to push it."""
    active_jobs(model.project_id, ("publish_model",), key="publishing")
    for entry in current_studio().publishing.published(model.id):
        st.caption(f"{plain(entry['where'])} · {ago(datetime.fromisoformat(entry['at']))} by {plain(entry['by'])}")
    if not current_actor().can(Role.ADMIN):
        st.caption("An admin can publish it: weights leave this machine.")
        return
    with st.form("publish_form", border=False):
        where = st.text_input(
            "Where to",
            placeholder=WHERE,
            key="publish_where",
        )
        key = st.text_input("Token of the Hub, or key of Fireworks or Together", type="password", key="publish_key")
        private = st.toggle("Private repository", True, key="publish_private")
        source = _source()
        if st.form_submit_button("Publish", icon=":material/upload:"):
            with reported_errors():
                current_studio().publishing.publish(
                    current_actor(), model.id, where, key=key, private=private, source=source
                )
                st.rerun()


def _source() -> Source:
    """Where Together fetches the weights."""
    with st.expander("For Together only", key="publish_together"):
        address = st.text_input(
            "Fetched from", placeholder="The Hub repository it was published to", key="publish_source",
            help="Another repository on the Hub, or the signed https address of an archive.",
        )  # fmt: skip
        token = st.text_input("Token of the Hub, if that is private", type="password", key="publish_source_token")
    return Source(address.strip(), token.strip())


def bundle_part(model: Model) -> None:
    """A tool, its options, the bundle's files, the download."""
    tools = {tool.name: tool for tool in current_studio().launch_bundles.tools()}
    st.caption("The weights with the exact command or request for a server that the studio does not start itself.")
    name = st.selectbox("For", list(tools), format_func=lambda key: tools[key].label, key="bundle_for", width=360)
    options = _options(tools[name])
    with reported_errors():
        texts = current_studio().launch_bundles.texts(model.id, name, options)
        shown = st.selectbox("Look into", sorted(texts), key="bundle_file", width=360)
        st.code(texts[shown], language="markdown" if shown.endswith(".md") else None, height=280)
        _download(model, name, options)


def _options(tool: LaunchBundle) -> dict[str, Any]:
    given = {
        name: st.text_input(name.capitalize(), help=about, key=f"bundle_{tool.name}_{name}")
        for name, about in tool.options.items()
    }
    return {name: value.strip() for name, value in given.items() if value.strip()}


def _download(model: Model, tool: str, options: dict[str, Any]) -> None:
    if current_studio().launch_bundles.size(model.id) > LARGEST_DOWNLOAD:
        st.caption("The weights are too large for the browser. On this machine:")
        st.code(f"studio launch-bundle {model.id} {tool}", language="bash")
        return
    st.download_button(
        "Download the bundle", lambda: _zip(model, tool, options), f"{model.id}-{tool}.zip", "application/zip",
        icon=":material/download:", key="bundle_download",
    )  # fmt: skip


def _zip(model: Model, tool: str, options: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory(dir=current_studio().settings.root) as folder:
        return current_studio().launch_bundles.write(model.id, tool, Path(folder) / "bundle.zip", options).read_bytes()
