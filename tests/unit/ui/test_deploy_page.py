"""The Deploy page: its empty states, its next step, its evidence."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Model, Project, Provider, Revision, ShadowPair
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio

OPERATOR = Actor.operator()
HOSTILE = "![x](http://evil/x.png)"


def texts(app: AppTest) -> str:
    kinds = (app.title, app.markdown, app.caption, app.text, app.error, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.fixture
def project(studio: Studio) -> Project:
    return studio.projects.create(OPERATOR, "support")


@pytest.fixture
def revision(studio: Studio, project: Project) -> Revision:
    """A ready revision behind an alias that the provider's model answers."""
    with studio.database.write() as session:
        provider = Provider(project_id=project.id, name="provider", base_url="http://upstream/v1")
        session.add(provider)
        session.flush()
        teacher = Model(project_id=project.id, name="teacher", kind="provider", provider_id=provider.id)
        tuned = Model(project_id=project.id, name="tuned", kind="tuned", digest="0" * 64)
        session.add_all([teacher, tuned])
    studio.deployments.ensure_alias(OPERATOR, project.id, "triage", teacher.id)
    made = studio.deployments.deploy(OPERATOR, project.id, "triage", tuned.id)
    studio.jobs.cancel(OPERATOR, made.spec["job_id"])
    why = {"why": "![x](http://evil/x.png) answers like the base"}
    with studio.database.write() as session:
        row = session.get_one(Revision, made.id)
        row.state = "ready"
        row.certificate = [
            {"gate": "health", "passed": True, "evidence": {"endpoint": "http://x"}, "at": ""},
            {"gate": "golden", "passed": False, "evidence": why, "at": ""},
        ]
    return made


def change(studio: Studio, revision: Revision, **values: Any) -> None:
    with studio.database.write() as session:
        row = session.get_one(Revision, revision.id)
        for name, value in values.items():
            setattr(row, name, value)


def opened(app: AppTest, **state: Any) -> AppTest:
    """The page with these parts open."""
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception
    return app


def test_with_nothing_trained_it_points_to_train(
    studio: Studio, project: Project, browser_of: Callable[[Role], Any]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")
    assert not app.exception and "Nothing to deploy yet" in texts(app) and "Open Train" in buttons(app)


def test_the_primary_button_takes_the_next_step_and_asks_before_it_does(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")
    for label in ("Shadow 20 %", "Promote to 5 %", "Promote to 50 %", "Promote to 100 %"):
        assert app.button(key="primary").label == label
        app.button(key="primary").click().run()
        assert not app.exception and "Undo takes it back" in texts(app) and label in buttons(app)[-1]
        studio.deployments.promote(OPERATOR, revision.id)
        app.run()
    assert app.button(key="primary").label == "Deploy model"
    app.button(key="undo").click().run()
    assert not app.exception and app.button(key="primary").label == "Promote to 100 %"
    release = studio.deployments.current(revision.deployment_id)
    assert release is not None and {route["weight"] for route in release.routes} == {50}


def test_a_gate_shows_its_evidence_as_text_only(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")
    app.session_state[f"part_{revision.id}"] = "Proof"
    app.run()
    assert any("answers like the base" in element.value for element in app.text)
    assert not any("](http" in element.value for element in app.markdown)


def test_a_viewer_may_look_and_not_touch(studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]) -> None:
    app = browser_of(Role.VIEWER).open("deploy")
    assert not app.exception and app.button(key="primary").disabled and app.button(key="undo").disabled


def test_red_gates_say_why_and_only_an_admin_may_override(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    change(studio, revision, state="failed", error="The gates did not pass. golden: It is the base.")
    app = browser_of(Role.EDITOR).open("deploy")
    assert "may not have traffic" in texts(app) and "golden: It is the base." in texts(app)
    assert app.button(key="override_newest").disabled and app.button(key="primary").label == "Deploy model"
    app = browser_of(Role.ADMIN).open("deploy")
    app.button(key="override_newest").click().run()
    assert not app.exception and "override_reason" in [area.key for area in app.text_area]


def test_the_slider_is_shut_with_the_reason_while_gates_are_red(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    change(studio, revision, state="failed", error="It is the base.")
    app = opened(browser_of(Role.EDITOR).open("deploy"), move_traffic=True)
    assert app.slider[0].disabled and "It cannot have traffic: It is the base." in texts(app)


def test_moving_traffic_asks_first_and_says_the_split_it_makes(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    app = opened(browser_of(Role.EDITOR).open("deploy"), move_traffic=True)
    app.slider[0].set_value(30).run()
    assert "Then: teacher 70 %, tuned (revision 1) 30 %." in texts(app)
    app.button(key="move").click().run()
    assert not app.exception and "goes from 0 % to 30 % of the calls" in texts(app)
    assert len(studio.deployments.releases(revision.deployment_id)) == 1


def test_a_shadow_of_any_share_is_one_slider_away(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    app = opened(browser_of(Role.EDITOR).open("deploy"), move_traffic=True)
    app.slider[1].set_value(35).run()
    app.button(key="shadow").click().run()
    release = studio.deployments.current(revision.deployment_id)
    assert release is not None and release.shadows == [{"revision_id": revision.id, "percent": 35}]
    assert "shadows 35 % of the calls" in texts(app)


def test_every_tab_opens_without_a_word_of_traffic(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")
    for tab, said in (
        ("Playground", "through the gateway"),
        ("Shadow pairs", "No call was answered twice yet"),
        ("Connect", "InferenceClient"),
        ("History", "Traffic moved"),
    ):
        opened(app, deploy_tab=tab)
        options = [option for box in app.selectbox for option in box.options]
        assert said in texts(app) + str(options), tab


def test_shadow_pairs_are_shown_side_by_side_as_text(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    asked = [{"role": "user", "content": HOSTILE}]
    with studio.database.write() as session:
        for number, answer in enumerate(("same", "other")):
            session.add(
                ShadowPair(deployment_id=revision.deployment_id, revision_id=revision.id, log_uid=f"log-{number}",
                           messages=asked, live_text="same", shadow_text=answer)
            )  # fmt: skip
    app = opened(browser_of(Role.EDITOR).open("deploy"), deploy_tab="Shadow pairs")
    assert [code.value for code in app.code] == ["same", "other"]
    assert any(HOSTILE in element.value for element in app.text)
    assert not any("](http" in element.value for element in app.markdown)
    assert {metric.label: metric.value for metric in app.metric}["Same answer"] == "50.0%"


def test_the_dialog_offers_places_by_name_and_says_what_speaks_against_it(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    studio.serving_places.save(OPERATOR, "the lab", "external", "http://127.0.0.1:9")
    app = browser_of(Role.ADMIN).open("deploy")
    app.button(key="deploy_another").click().run()
    assert not app.exception and "are not here" in texts(app) and app.button(key="deploy_confirm").disabled
    offered = app.selectbox(key="deploy_where").options
    assert any(option.startswith("the lab") for option in offered) and "A server at an address" in offered
    app = browser_of(Role.EDITOR).open("deploy")
    app.button(key="deploy_another").click().run()
    assert "A server at an address" not in app.selectbox(key="deploy_where").options


def test_rules_are_shown_as_they_are_in_force(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], Any]
) -> None:
    smoke = [{"name": "refund", "messages": [{"role": "user", "content": "Twice!"}], "contains": "billing"}]
    rules = {"guardrail": {"on": True, "calls": 80}, "smoke": smoke, "timeout_s": 2.5}
    studio.deployments.set_rules(OPERATOR, revision.deployment_id, rules)
    app = browser_of(Role.EDITOR).open("deploy")
    app.button(key="rules").click().run()
    assert not app.exception and "contains “billing”" in texts(app)
    assert {80, 2.5} <= {each.value for each in app.number_input}


def test_a_place_to_serve_is_added_under_settings(studio: Studio, browser_of: Callable[[Role], Any]) -> None:
    browser = browser_of(Role.ADMIN)
    code = "from studio.ui.settings.place_form import place_form\nfrom studio.ui.settings.places import SERVING\n"
    form = AppTest.from_string(f"{code}place_form(SERVING, None)").run()
    form.selectbox(key="serving_kind").set_value("external").run()
    form.text_input[0].set_value("the lab")
    form.text_input[1].set_value("http://127.0.0.1:8080")
    next(button for button in form.button if button.label == "Save place").click().run()
    assert not form.exception and [place.name for place in studio.serving_places.all()] == ["the lab"]
    app = browser.open("settings", tab="Serving")
    assert "the lab" in texts(app) and "http://127.0.0.1:8080" in texts(app)
