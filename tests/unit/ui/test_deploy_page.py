"""The Deploy page: its empty states, its next step, its evidence."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Model, Project, Provider, Revision
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio

OPERATOR = Actor.operator()


def texts(app: AppTest) -> str:
    kinds = (app.title, app.markdown, app.caption, app.text, app.error, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


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


def test_with_nothing_trained_it_points_to_train(
    studio: Studio, project: Project, browser_of: Callable[[Role], object]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")  # type: ignore[attr-defined]
    assert not app.exception and "Nothing to deploy yet" in texts(app) and "Open Train" in buttons(app)


def test_the_primary_button_takes_the_next_step_and_asks_before_it_does(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], object]
) -> None:
    browser = browser_of(Role.EDITOR)
    for label in ("Shadow 20 %", "Promote to 5 %", "Promote to 50 %", "Promote to 100 %"):
        app = browser.open("deploy")  # type: ignore[attr-defined]
        assert app.button(key="primary").label == label
        app.button(key="primary").click().run()
        assert not app.exception and "Undo takes it back" in texts(app) and label in buttons(app)[-1]
        studio.deployments.promote(OPERATOR, revision.id)
    app = browser.open("deploy")  # type: ignore[attr-defined]
    assert app.button(key="primary").label == "Deploy model"
    app.button(key="undo").click().run()
    assert not app.exception and app.button(key="primary").label == "Promote to 100 %"
    release = studio.deployments.current(revision.deployment_id)
    assert release is not None and {route["weight"] for route in release.routes} == {50}


def test_a_gate_shows_its_evidence_as_text_only(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], object]
) -> None:
    app = browser_of(Role.EDITOR).open("deploy")  # type: ignore[attr-defined]
    app.session_state[f"part_{revision.id}"] = "Proof"
    app.run()
    assert any("answers like the base" in element.value for element in app.text)
    assert not any("](http" in element.value for element in app.markdown)


def test_a_viewer_may_look_and_not_touch(
    studio: Studio, revision: Revision, browser_of: Callable[[Role], object]
) -> None:
    app = browser_of(Role.VIEWER).open("deploy")  # type: ignore[attr-defined]
    assert not app.exception and app.button(key="primary").disabled and app.button(key="undo").disabled
