"""The Pass on tab: the card as text, publishing for admins only, a bundle's files before its download."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Model
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from tests.unit.ui.conftest import Browser

OPERATOR = Actor.operator()
PAGE = """
import streamlit as st
from studio.ui.deploy.passing_on import bundle_part, card_part, publish_part
from studio.ui.state import current_studio
model = current_studio().models.get(st.session_state["model"])
card_part(model)
publish_part(model)
bundle_part(model)
"""


@pytest.fixture
def model(studio: Studio, tmp_path: Path) -> Model:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": []}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    project = studio.projects.create(OPERATOR, "support")
    with studio.database.write() as session:
        made = Model(project_id=project.id, name="tuned ![x](http://evil/x.png)", kind="tuned")
        made.digest = studio.artifacts.save_folder(folder)
        session.add(made)
    return made


@pytest.fixture
def page(studio: Studio, model: Model, browser_of: Callable[[Role], Browser]) -> AppTest:
    browser_of(Role.ADMIN)
    app = AppTest.from_string(PAGE, default_timeout=60)
    app.session_state["model"] = model.id
    return app.run()


def codes(app: AppTest) -> str:
    return "\n".join(element.value for element in app.code)


def test_card_and_bundle_are_shown_as_text(page: AppTest, model: Model) -> None:
    assert not page.exception
    assert f"# {model.name}" in codes(page), "the card is code, so that nothing in it is drawn"
    assert "evil" not in "\n".join(element.value for element in page.markdown)
    page.selectbox(key="bundle_file").set_value("launch.sh").run()
    assert "--served-model-name" in codes(page) and not page.exception


def test_publishing_starts_a_job_and_an_address_that_is_none_is_told(
    page: AppTest, studio: Studio, model: Model, tmp_path: Path
) -> None:
    page.text_input(key="publish_where").input("nowhere")
    page.button[0].click().run()
    assert "full path of a folder" in "\n".join(element.value for element in page.error)
    page.text_input(key="publish_where").input(str(tmp_path / "shared"))
    page.button[0].click().run()
    assert [job.kind for job in studio.jobs.active(model.project_id)] == ["publish_model"]


def test_a_tool_that_cannot_serve_it_says_why(page: AppTest) -> None:
    page.selectbox(key="bundle_for").set_value("fireworks").run()
    page.text_input(key="bundle_fireworks_account").input("a; rm -rf /").run()
    assert "a script would read as its own" in "\n".join(element.value for element in page.error)
